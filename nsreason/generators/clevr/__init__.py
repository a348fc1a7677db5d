"""CLEVR made anew: scenes, images, questions."""
