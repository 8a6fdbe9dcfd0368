"""A page on which somebody writes down what a suspect says to each image, where it is an app that nothing can call."""

import base64
import html
import io
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nf.core.files import write_text
from nf.core.queries import QuerySet
from nf.core.sheets import image_hash, image_name, picture
from nf.suspects.csv import other_marks


def images_to_ask(queries: QuerySet, controls: int) -> NDArray[np.uint8]:
    """The images of ``queries`` and so many of its control images, (N, C, H, W), in an order that shows nothing.

    Args:
        queries: a set that may have control images; without any the images come as they are.
        controls: how many of them at most.
    """
    if queries.controls is None or controls == 0:
        return queries.images
    together = np.concatenate([queries.images, queries.controls.images[:controls]])
    return together[sorted(range(len(together)), key=lambda place: image_hash(together[place]))]


def write_labelling_page(
    path: Path, images: NDArray[np.uint8], num_classes: int, class_names: Sequence[str] = (), key: str = ""
) -> None:
    """Write a page with ``images`` (N, C, H, W), which exports a table for ``nf.suspects.csv.CsvSuspect``.

    It is one file without references to others. A key or a click answers an image; what was answered stays in the
    browser until it is exported.

    Args:
        path: path of the page.
        images: to be shown one after the other.
        num_classes: number of classes of the owner's model.
        class_names: the owner's, in the order of labels; numbers alone where there are none.
        key: key of the set of images, under which the browser keeps answers.
    """
    shown = [{"name": image_name(index, image), "src": _source(image)} for index, image in enumerate(images)]
    titles = list(class_names) or [""] * num_classes
    buttons = "\n".join(
        f'<button data-label="{label}"><kbd>{label}</kbd> {html.escape(title)}</button>'
        for label, title in enumerate(titles)
    )
    # "<" cannot end the script then.
    data = json.dumps({"key": key, "images": shown}).replace("<", "\\u003c")
    page = _PAGE.replace("@BUTTONS@", buttons).replace("@OTHER@", other_marks(class_names)[0]).replace("@DATA@", data)
    write_text(path, page)


def _source(image: NDArray[np.uint8]) -> str:
    buffer = io.BytesIO()
    picture(image).save(buffer, format="PNG")
    return f"data:image/png;base64,{base64.b64encode(buffer.getvalue()).decode()}"


_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>What does it say?</title>
<style>
:root { color-scheme: light dark; font: 16px/1.5 system-ui, sans-serif }
body { max-width: 60rem; margin: 1rem auto; padding: 0 1rem; text-align: center }
img { width: min(80vw, 20rem); image-rendering: pixelated; border: 1px solid gray }
button { font: inherit; padding: .4rem .8rem; margin: .2rem; cursor: pointer }
button[aria-pressed=true] { outline: 3px solid Highlight }
kbd { border: 1px solid gray; border-radius: .2rem; padding: 0 .3rem }
</style>
<h1>What does it say?</h1>
<p>Show each image to the suspect and press the number of the class that it answers, or
<kbd>x</kbd> if that is none of these. <kbd>&larr;</kbd> and <kbd>&rarr;</kbd> go back and forth; numbers of two
digits end with <kbd>Enter</kbd>.</p>
<p><img id="image" alt=""></p>
<p id="status" role="status" aria-live="polite"></p>
<div id="classes">
@BUTTONS@
<button data-label="@OTHER@"><kbd>x</kbd> none of these</button>
</div>
<p><button id="back">&larr; back</button> <button id="next">next &rarr;</button>
<button id="export">save answers.csv</button></p>
<script type="application/json" id="data">@DATA@</script>
<script>
"use strict";
const { key, images } = JSON.parse(document.getElementById("data").textContent);
const store = "naturalfinger " + key;
const element = id => document.getElementById(id);
const buttons = [...document.querySelectorAll("[data-label]")];
let place = 0, typed = "", answers = {};
try { answers = JSON.parse(localStorage.getItem(store)) || {}; } catch { }  // a browser may keep nothing

function show() {
  const { name, src } = images[place];
  element("image").src = src;
  element("image").alt = name;
  const done = images.filter(image => image.name in answers).length;
  element("status").textContent =
    `${name}: ${place + 1} of ${images.length}, ${done} answered` + (typed ? `, ${typed} …` : "");
  for (const button of buttons)
    button.setAttribute("aria-pressed", String(answers[name] === button.dataset.label));
}
function go(step) {
  typed = "";
  place = Math.min(Math.max(place + step, 0), images.length - 1);
  show();
}
function answer(label) {
  answers[images[place].name] = label;
  try { localStorage.setItem(store, JSON.stringify(answers)); } catch { }
  go(1);
}
function type(digit) {
  typed += digit;
  const fits = buttons.filter(button => button.dataset.label.startsWith(typed));
  if (fits.length === 1) answer(fits[0].dataset.label);
  else if (fits.length === 0) typed = "";
  show();
}
function csv() {
  const lines = images.filter(image => image.name in answers).map(image => `${image.name},${answers[image.name]}`);
  return ["image,label", ...lines].join("\\r\\n") + "\\r\\n";
}
for (const button of buttons) button.addEventListener("click", () => answer(button.dataset.label));
element("back").addEventListener("click", () => go(-1));
element("next").addEventListener("click", () => go(1));
element("export").addEventListener("click", () => {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([csv()], { type: "text/csv" }));
  link.download = "answers.csv";
  link.click();
  URL.revokeObjectURL(link.href);
});
addEventListener("keydown", event => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-9]$/.test(event.key)) type(event.key);
  else if (event.key === "x") answer("@OTHER@");
  else if (event.key === "ArrowLeft") go(-1);
  else if (event.key === "ArrowRight") go(1);
  else if (event.key === "Enter" && typed) {
    if (buttons.some(button => button.dataset.label === typed)) answer(typed); else go(0);
  } else return;
  event.preventDefault();
});
show();
</script>
</html>
"""
