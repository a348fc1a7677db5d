"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const all = (query, root = document) => [...root.querySelectorAll(query)];
  const one = query => document.querySelector(query);
  const last = data.steps.length - 1;
  const slider = one(".controls input"), play = one(".play"), live = one(".panels");
  let at = data.start, timer = null;

  const wanted = () => {
    const match = /^#step=(\d+)$/.exec(location.hash);
    return match ? Math.min(+match[1], last) : data.start;
  };

  // A line from the rim of one object to the rim of another, slightly bent so that opposite ones do not coincide.
  const line = (a, b) => {
    const dx = b[0] - a[0], dy = b[1] - a[1], long = Math.hypot(dx, dy);
    if (long < a[2] + b[2]) return "";
    const ux = dx / long, uy = dy / long, near = a[2] * 1.15 + 5, far = b[2] * 1.15 + 8, bow = long * .08;
    const mx = (a[0] + b[0]) / 2 - uy * bow, my = (a[1] + b[1]) / 2 + ux * bow;
    return `M${a[0] + ux * near} ${a[1] + uy * near}Q${mx} ${my} ${b[0] - ux * far} ${b[1] - uy * far}`;
  };

  // What a call gave that is no object: above the drawing.
  const say = (svg, step) => {
    const line = svg.parentNode.querySelector(".says");
    line.hidden = step.says === null;
    line.className = `says ${step.state}`;
    line.querySelector(".op").textContent = step.text;
    line.querySelector("b").textContent = step.says;
  };

  const paint = (name, step) => {
    const svg = one(`svg.${name}`), spots = data.spots[name];
    const got = new Set(step.got || []), a = new Set(step.from[0] || []), b = new Set(step.from.slice(1).flat());
    const bad = new Set(step.bad), quiet = step.got === null && step.from.length === 0;
    svg.classList.toggle("veiled", !quiet);
    svg.classList.toggle("graded", !!step.degrees);
    // What one set was narrowed to needs no second outline.
    svg.classList.toggle("single", step.from.length < 2);
    for (const thing of all(".thing", svg)) {
      const i = +thing.dataset.object;
      thing.classList.toggle("in-got", got.has(i));
      thing.classList.toggle("in-a", a.has(i));
      thing.classList.toggle("in-b", b.has(i));
      thing.classList.toggle("in-bad", bad.has(i));
      thing.classList.toggle("dim", !step.degrees && !quiet && !step.shade[i]);
      thing.style.setProperty("--shade", step.shade[i]);
    }
    say(svg, step);
    const links = svg.querySelector(".links"), anchor = (step.from[0] || [])[0];
    links.replaceChildren();
    if (!step.links || !spots[anchor]) return;
    links.classList.toggle("many", got.size > 20);
    for (const i of got) {
      const d = spots[i] && line(spots[anchor], spots[i]);
      if (!d) continue;
      const path = document.createElementNS(svg.namespaceURI, "path");
      path.setAttribute("d", d);
      if (got.size <= 20) path.setAttribute("marker-end", name === "picture" ? "url(#arrow-lit)" : "url(#arrow)");
      links.append(path);
    }
  };

  const show = k => {
    at = k;
    const step = data.steps[k], row = i => one(`.row[data-step="${i}"]`);
    for (const r of all(".row")) { r.removeAttribute("aria-current"); r.classList.remove("from-a", "from-b"); }
    row(k).setAttribute("aria-current", "step");
    for (const p of all(".panel")) p.classList.toggle("now", +p.dataset.panel === k);
    for (const d of all(".dot")) d.classList.toggle("now", +d.dataset.node === k);
    for (const w of all(".wire")) w.classList.toggle("now", +w.dataset.to === k);
    for (const a of all(`.panel[data-panel="${k}"] .given a`)) row(a.dataset.step).classList.add(a.parentNode.className === "a" ? "from-a" : "from-b");
    for (const r of all("tbody tr")) r.toggleAttribute("aria-current", r.id === `call-${k}`);
    for (const name of Object.keys(data.spots)) paint(name, step);
    slider.value = k;
    slider.setAttribute("aria-valuetext", `call ${k}, ${step.text}: ${step.gist}`);
    one(".controls output").textContent = `call ${k} of 0–${last}`;
    one(".previous").disabled = k === 0;
    one(".next").disabled = k === last;
    document.documentElement.dataset.step = k;
  };

  const go = k => {
    k = Math.max(0, Math.min(last, k));
    if (wanted() !== k || !location.hash) location.replace(`#step=${k}`);
    show(k);
  };
  const stop = () => {
    clearInterval(timer);
    timer = null;
    play.textContent = "Play";
    live.setAttribute("aria-live", "polite");
  };
  const start = () => {
    live.setAttribute("aria-live", "off");
    play.textContent = "Pause";
    go(at === last ? 0 : at + 1);
    timer = setInterval(() => at === last ? stop() : go(at + 1), 1300);
  };
  const step = k => { stop(); go(k); };

  one(".previous").addEventListener("click", () => step(at - 1));
  one(".next").addEventListener("click", () => step(at + 1));
  play.addEventListener("click", () => timer ? stop() : start());
  slider.addEventListener("input", () => step(+slider.value));
  document.addEventListener("click", event => {
    const link = event.target.closest("a[data-step]");
    if (link) { event.preventDefault(); step(+link.dataset.step); }
  });
  document.addEventListener("keydown", event => {
    if (event.altKey || event.ctrlKey || event.metaKey || event.target === slider) return;
    const keys = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    if (event.key in keys) { event.preventDefault(); step(keys[event.key]); }
    else if (event.key === " " && !event.target.closest("button, a, summary")) { event.preventDefault(); timer ? stop() : start(); }
  });
  document.addEventListener("mouseover", event => {
    const row = event.target.closest("[data-about]");
    for (const thing of all(".thing")) thing.classList.toggle("pointed", !!row && thing.dataset.object === row.dataset.about);
  });
  addEventListener("hashchange", () => { if (wanted() !== at) { stop(); show(wanted()); } });
  document.documentElement.classList.add("js");
  show(wanted());
})();
