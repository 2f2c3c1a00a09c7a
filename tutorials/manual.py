"""
Write the manual: the pages in Markdown, and a page for each module from its docstrings.

`make docs` runs this file in the root of the repository; it needs the extra `docs` and
no network. Look at `build/docs/index.html` afterwards.
"""

import importlib
import json
import pkgutil
import re
import shutil
import sys
import warnings
from pathlib import Path

import pdoc
import pdoc.doc
import pdoc.docstrings
import pdoc.render
import pdoc.render_helpers
from pdoc.extract import walk_specs
from pdoc.render_helpers import to_html
from pygments.formatters import HtmlFormatter

import kerasnb
from kerasnb import pooling, resizing, sklearn

ROOT = Path(__file__).resolve().parents[1]
TO = ROOT / "build" / "docs"
PAGES = {
    "README.md": "index.html",
    "tutorials/teaching.md": "teaching.html",
    "kerasnb/contributing.md": "contributing.html",
    "kerasnb/differences.md": "differences.html",
    "tests/bench/RESULTS.md": "results.html",
}
SHELL = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ max-width: 52rem; margin: 2rem auto; padding: 0 1rem;
  font: 17px/1.5 sans-serif; }}
pre {{ background: #f4f4f4; padding: .7rem; overflow-x: auto; }}
code {{ background: #f4f4f4; }}
td, th {{ border-bottom: 1px solid #ccc; padding: .25rem .6rem; text-align: left;
  vertical-align: top; }}
table {{ border-collapse: collapse; }}
img {{ max-width: 100%; }}
{colours}
</style></head><body>
<p><a href="index.html">kerasnb</a> · <a href="teaching.html">teaching</a> ·
<a href="contributing.html">contributing</a> · <a href="lessons.html">lessons</a> ·
<a href="reference.html">reference</a></p>
{body}
</body></html>
"""


def write(name, title, text):
    """Turn Markdown into a page."""
    colours = pdoc.render.env.get_template("syntax-highlighting.css").render()
    page = SHELL.format(title=title, colours=colours, body=to_html(text))
    (TO / name).write_text(page, encoding="utf-8")


def link(text, source):
    """Let links between files of the repository lead to their pages."""

    def target(match):
        address = match[1]
        if re.match(r"[a-z]+:|#", address):
            return match[0]
        path = (source.parent / address).resolve()
        if not path.exists():
            raise FileNotFoundError(f"{source}: there is no file {address}")
        page = PAGES.get(str(path.relative_to(ROOT)))
        if page is None:
            page = f"files/{path.name}"
            (TO / "files").mkdir(exist_ok=True)
            shutil.copy(path, TO / page)
        return f"]({page})"

    return re.sub(r"\]\(([^)\s]+)\)", target, text)


def lessons():
    """Return the list of lessons, as Markdown, from their titles and goals."""
    lines = ["# The lessons", ""]
    for path in sorted((ROOT / "tutorials").glob("[0-9][0-9]_*.py")):
        text = path.read_text(encoding="utf-8")
        title = re.search("^# # (.*)$", text, re.MULTILINE)[1]
        goal = re.search(r"^# Goal: (.*(?:\n# .*)*)", text, re.MULTILINE)[1]
        where = f"../../tutorials/{path.name}"
        lines.append(f"- [{title}]({where}): {goal.replace(chr(10) + '# ', ' ')}")
    return "\n".join(lines)


def modules():
    """Return all modules by name, and what to ask pdoc for to get each of them once."""
    leave_out = ["!kerasnb.as_keras", "!kerasnb.__main__"]
    names, wanted = set(), []
    for found in [None, *pkgutil.walk_packages(kerasnb.__path__, "kerasnb.")]:
        name = found.name if found else "kerasnb"
        if name in names or re.search("as_keras|__main__", name):
            continue
        wanted.append(name)  # a package brings the modules that its __all__ names
        names.update(walk_specs([name, *leave_out]))
    return sorted(names), wanted + leave_out


def reference(names):
    """Return the list of modules, as Markdown, with the first sentence of each."""
    lines = ["# Reference", ""]
    for name in names:
        told = (importlib.import_module(name).__doc__ or "").strip().split("\n\n")[0]
        line = " ".join(told.split())
        lines.append(f"- [{name}]({name.replace('.', '/')}.html): {line}")
    return "\n".join(lines)


def with_formulas(convert):
    """Let lines that are laid out as formulas keep their layout."""

    def converted(text):
        parts = re.split(r"\n\s*\n", text)
        for k, part in enumerate(parts):
            if re.search(r"\n-{3,}", part):
                break  # the sections begin: their layout is numpydoc's
            if re.search(r"\S {3,}\S|^\S+\[[^]]*\] \+?= ", part, re.MULTILINE):
                parts[k] = re.sub(r"^", "    ", part, flags=re.MULTILINE)
        return convert("\n\n".join(parts))

    return converted


def keep_small():
    """Let every line of source stand once, and the index be made when it is used."""
    pdoc.doc.Module.source = pdoc.doc.Class.source = ""  # methods show theirs
    pdoc.render_helpers.formatter = HtmlFormatter(cssclass="pdoc-code codehilite")
    pdoc.render.precompile_index = lambda documents, script: json.dumps(documents)


def main():
    """Write all pages into build/docs."""
    shutil.rmtree(TO, ignore_errors=True)
    TO.mkdir(parents=True)
    warnings.filterwarnings(  # an inherited constructor names types of its own module
        "ignore", "Error parsing type annotation"
    )
    pdoc.docstrings.numpy = with_formulas(pdoc.docstrings.numpy)
    pdoc.render.configure(docformat="numpy", footer_text="", math=False)
    keep_small()
    for module in (pooling, resizing, sklearn):
        del module.__all__  # pages show the base classes too, which others link to
    names, wanted = modules()
    pdoc.pdoc(*wanted, output_directory=TO)
    for name, page in PAGES.items():
        source = ROOT / name
        text = source.read_text(encoding="utf-8")
        write(page, text.partition("\n")[0].strip("# "), link(text, source))
    (TO / "files").mkdir(exist_ok=True)
    here = link(lessons(), TO / "lessons.md")
    write("lessons.html", "The lessons", here)
    write("reference.html", "Reference", reference(names))
    sys.stdout.write(f"wrote {len(list(TO.rglob('*.html')))} pages: {TO}/index.html\n")


if __name__ == "__main__":
    main()
