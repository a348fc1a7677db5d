"""`nsreason execute`: programs to answers."""

from __future__ import annotations

from . import answers, inputs, options

EXAMPLES = (
    "nsreason demo  # writes the files of these examples",
    'nsreason execute "count(filter[red](scene()))" --scene demo/scene.json',
    'nsreason execute "exist(scene())" --scene demo/scene.json --index 0 --trace',
    'nsreason execute "scene count" --from postfix --scene demo/scene.json',
    'echo "count scene" | nsreason execute - --from ns-vqa --scene demo/scene.json',
)


def execute(
    program: options.Program,
    scene: options.SceneFile,
    index: options.Index = None,
    image: options.Image = None,
    source: options.Source = "nested",
    domain: options.Domain = "clevr",
    trace: options.WithTrace = False,
    html: options.Html = None,
    png: options.Png = None,
    image_file: options.ImageFile = None,
    lines: options.Lines = False,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    as_json: options.AsJson = False,
) -> int:
    """Run a program on a scene and print its answer.

    The answer is spelled as CLEVR does: yes, no, 3, red; a set of objects by their numbers.
    """
    from ..dsl.domain import load_domain
    from ..programs.dialects.registry import read_program

    answers.check_page(html, image_file, png)
    inputs.one_stdin(scene, program)
    known = load_domain(domain)
    answer = answers.SceneAnswers(inputs.the_scene(scene, known, index, image), trace, html, image_file, png=png)
    texts = answers.one_page(inputs.program_lines(program, lines), html, png)
    return inputs.each(texts, lambda p: answer(read_program(p, source, known)), as_json=as_json, what="program")
