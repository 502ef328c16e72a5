"""Puts what a script measured into a page, between the two comments that bear the script's name."""

import pathlib
import re


def replace_region(file, name, text):
    """Replaces what stands between `<!-- name -->` and `<!-- end of name -->`."""
    file = pathlib.Path(file)
    begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
    page, count = re.subn(f"(?s){re.escape(begin)}.*?{re.escape(end)}",
                          lambda match: f"{begin}\n{text.strip()}\n\n{end}", file.read_text())
    if count != 1:
        raise SystemExit(f"{file}: {begin.strip()} ... {end} must stand there once")
    file.write_text(page)


def table(head, lines):
    """A Markdown table; columns after the first are numbers unless their name ends with a space."""
    rule = ["---" if i == 0 or name.endswith(" ") else "---:" for i, name in enumerate(head)]
    return "\n".join("| " + " | ".join(map(str.strip, line)) + " |" for line in [head, rule, *lines])


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return "unknown processor"
