"""Pages whose examples are run: what a page shows must be what its commands print now.

A test goes through the blocks of a page, runs what each one holds, and shows it the output. With --update the page is rewritten
with what was printed now."""

import dataclasses
import re
import sys

from pair import SOURCE, check


@dataclasses.dataclass
class Block:
    """A fenced block: its language, what stands above it, and its lines, which may be replaced."""

    language: str
    line_above: str
    lines: list


def commands(lines, prompt=r"\$ "):
    """(command, output) of a session: each command begins with the prompt, its output follows. With groups in the prompt they
    come first."""
    found = []
    for line in lines:
        match = re.match(prompt, line)
        if match:
            found.append((*match.groups(), line[match.end() :], []))
        else:
            found[-1][-1].append(line)
    return [(*head, "\n".join(output)) for *head, output in found]


class Page:
    def __init__(self, path, varying):
        """`varying` are pairs of a pattern for what differs from run to run, and a name that stands for it when compared."""
        self.path = path
        self.varying = varying
        self.pieces = _divide(path.read_text())
        self.shown = None
        self.count = 0
        self.wrong = []

    def blocks(self, *languages):
        """The blocks in these languages, one after the other. What was shown of a block replaces its lines."""
        for piece in self.pieces:
            if isinstance(piece, Block) and piece.language in languages:
                self.shown = []
                yield piece
                if self.shown:
                    piece.lines = self.shown

    def show(self, head, expected, actual):
        """Adds lines, and the output that belongs to them, to the block."""
        self.count += 1
        if self.comparable(actual) != self.comparable(expected):
            title = "\n".join(head)
            self.wrong.append(f"{title}\n--- the page:\n{expected}\n--- now:\n{actual}")
        self.shown += [*head, *actual.rstrip("\n").splitlines()]

    def comparable(self, text):
        for pattern, name in self.varying:
            text = pattern.sub(name, text)
        return text.rstrip("\n")

    def finish(self):
        """Updates the page, or fails if it does not tell the truth."""
        name = self.path.relative_to(SOURCE)
        if "--update" in sys.argv:
            self.path.write_text("\n".join(line for piece in self.pieces for line in _lines(piece)) + "\n")
            print(f"{len(self.wrong)} of {self.count} examples updated")
            return
        check(self.count > 0, f"{name} has no examples")
        how = f"{name} differs from what its examples print (python3 {sys.argv[0]} --update rewrites it)"
        check(not self.wrong, f"{how}:\n\n" + "\n\n".join(self.wrong))
        print(f"{self.count} examples")


def _divide(text):
    """The page as lines and blocks."""
    pieces = []
    block = None
    for line in text.splitlines():
        if block is None and re.fullmatch(r"```\w+", line):
            above = pieces[-1] if pieces and isinstance(pieces[-1], str) else ""
            block = Block(line[3:], above, [])
        elif block is not None and line == "```":
            pieces.append(block)
            block = None
        elif block is not None:
            block.lines.append(line)
        else:
            pieces.append(line)
    return pieces


def _lines(piece):
    return [piece] if isinstance(piece, str) else [f"```{piece.language}", *piece.lines, "```"]
