"""Bytes of an XML file → the same bytes as far as they are well-formed, or the sentence that says what is wrong.

A large file is checked in a process beside this one, while what is checked already is taken apart here.
"""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO, NoReturn
from xml.parsers import expat

from safeguarding_analytics.errors import TableError

CHUNK = 1 << 18
"""Bytes read at a time. A tag, comment or instruction that is longer than this is none that a census has."""

AHEAD = 1 << 20
"""Bytes that wait between the two processes, so that neither stops for the other at each piece. Linux alone asks."""

PIECE = 1 << 16
"""Bytes that are checked, and then read, at once."""

LARGE = 1 << 22
"""Bytes from which a file is checked in another process: it takes as long to start as the check of some millions."""

ENCODINGS = ("utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "iso-8859-1", "windows-1252")

CODEC, CHECKED, REFUSED, DIGEST = b"c", b"w", b"r", b"d"
"""Kinds of parts: Python's name of the encoding, well-formed bytes, why no more of them come, the SHA-256 of all."""

Part = tuple[bytes, bytes]
"""A kind and its content. A codec comes before the first bytes; the last part is a refusal or a digest."""

_NO_XML = {
    b"\x1f\x8b": "a compressed file (gzip). Unpack it",
    b"PK\x03\x04": "a ZIP archive or a workbook. Unpack it, or export the census as XML",
    b"\xd0\xcf\x11\xe0": "an old workbook or document, or one with a password. Export the census as XML",
    b"PAR1": "a Parquet file. Export the census as XML",
    b"%PDF": "a PDF. Export the census as XML",
    b"7z\xbc\xaf": "a compressed file (7z). Unpack it",
    b"BZh": "a compressed file (bzip2). Unpack it",
    b"\xfd7zXZ": "a compressed file (xz). Unpack it",
}


def check_file(path: Path) -> Generator[Part]:
    """The well-formed bytes of a file, part by part.

    Parameters
    ----------
    path
        An XML file. Below `LARGE` bytes it is checked in this process.

    Yields
    ------
    Part
        As soon as they are checked, no more than fit into a pipe ahead of the reader.

    Notes
    -----
    The process beside ends when nobody reads what it writes, so that it outlives neither a refusal nor this process.
    """
    with suppress(OSError):  # What cannot be looked at has its sentence from `read_chunks`.
        if path.stat().st_size >= LARGE:
            return _from_beside(path)
    return check_parts(read_chunks(path), path.name)


def check_parts(chunks: Iterable[bytes], name: str) -> Generator[Part]:
    """The same for bytes that come in pieces, checked in this process; ``name`` is that of their file."""
    try:
        yield from _Check(name).parts(chunks)
    except TableError as error:
        yield REFUSED, str(error).encode(errors="surrogateescape")


def read_chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, some at a time.

    Raises
    ------
    TableError
        When it is missing, a folder, or cannot be read.
    """
    if path.is_dir():
        raise TableError(f"{path.name}: this is a folder, not a file. Name the XML file in it.")
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise TableError(
            f"{path.name}: file not found in {path.parent}. Put it there, or name another file in board.toml."
        ) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise TableError(f"{path.name}: the file cannot be read ({reason}). Ask for the right to read it.") from None


def recognise(head: bytes, name: str) -> None:
    """Refuse what is no XML by its first bytes.

    Raises
    ------
    TableError
        When they are those of another kind of file, or there are none.
    """
    for signature, what in _NO_XML.items():
        if head.startswith(signature):
            raise TableError(f"{name}, line 1: its name says XML, but it is {what}.")
    visible = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip(b" \t\r\n\0")
    if not visible:
        raise TableError(f"{name}, line 1: the file is empty. Wanted the XML of a census. Export it again.")
    if not visible.startswith(b"<"):
        raise TableError(f"{name}, line 1: this is no XML, although its name says so. Export the census as XML.")
    if visible[:64].lower().replace(b"\0", b"").startswith((b"<!doctype html", b"<html")):
        raise TableError(f"{name}, line 1: this is a web page, not a census. Was its sign-in page saved instead?")


DECLARED = "it declares a document type or entities, which a census never does"
WITHOUT = "They can make a program open other files, so nothing was read. Export the census again"


class _Check:
    """Expat, called back for nothing but declarations: a call for every element takes longer than all else.

    Document types and entities are refused at their first letter, so that nothing is expanded or opened.
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self.fed = 0
        self.waiting = b""
        """What the parser was given and has not gone through: the beginning of a tag, comment or instruction."""
        self.encoding, self.codec = "utf-8", ""
        self.parser = expat.ParserCreate()
        self.parser.XmlDeclHandler = self.declaration
        for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler", "ExternalEntityRefHandler"):
            setattr(self.parser, handler, self.declared)

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        self.encoding = (encoding or self.encoding).lower()
        if self.encoding not in ENCODINGS:
            self.refuse(_WRONG["XML_ERROR_UNKNOWN_ENCODING"][0], f"Save it as UTF-8. Read are: {', '.join(ENCODINGS)}")

    def declared(self, *_: object) -> NoReturn:
        self.refuse(DECLARED, WITHOUT)

    def refuse(self, found: str, step: str) -> NoReturn:
        raise TableError(f"{self.name}, line {self.parser.CurrentLineNumber:,}: {found}. {step}.")

    def parts(self, chunks: Iterable[bytes]) -> Iterator[Part]:
        """All parts of a file."""
        digest = hashlib.sha256()
        for chunk in filter(None, chunks):
            if not self.fed:
                recognise(chunk, self.name)
            digest.update(chunk)
            for start in range(0, len(chunk), PIECE):
                yield from self.feed(chunk[start : start + PIECE])
        if not self.fed:
            recognise(b"", self.name)
        yield from self.feed(b"", last=True)
        yield DIGEST, digest.hexdigest().encode()

    def feed(self, piece: bytes, *, last: bool = False) -> Iterator[Part]:
        """Let the parser check a piece, and hand on what it has gone through, also when it found a mistake there."""
        self.fed += len(piece)
        self.waiting += piece
        try:
            self.parser.Parse(piece, last)
        except expat.ExpatError as error:
            start = self.fed - len(self.waiting)
            wrong = self.waiting[self.parser.ErrorByteIndex - start :][:1]
            yield from self.gone_through(self.parser.CurrentByteIndex)
            found, step = _say_error(error, wrong)
            raise TableError(f"{self.name}, line {error.lineno:,}: {found}. {step}.") from None
        yield from self.gone_through(self.fed if last else self.parser.CurrentByteIndex)
        if len(self.waiting) > CHUNK:
            self.refuse(
                f"a tag, comment or instruction is longer than {CHUNK:,} bytes, or spaces are",
                "It is no census as case systems write it. Export it again",
            )

    def gone_through(self, place: int) -> Iterator[Part]:
        """What waited before a place of the file: tags, comments and instructions as a whole."""
        count = place - (self.fed - len(self.waiting))
        if count <= 0:
            return
        if not self.codec:
            by_itself = "utf-8" if self.encoding.startswith("utf-16") else self.encoding
            self.codec = _BYTE_ORDERS.get(self.waiting[:2], by_itself)
            yield CODEC, self.codec.encode()
        content, self.waiting = self.waiting[:count], self.waiting[count:]
        yield CHECKED, content


_BYTE_ORDERS = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16", b"<\0": "utf-16-le", b"\0<": "utf-16-be"}

_WRONG = {
    "XML_ERROR_NO_ELEMENTS": ("the file ends before its outermost element does: it is cut off", "Copy it again"),
    "XML_ERROR_TAG_MISMATCH": ("an element is closed that is not the last one opened", "Export the census again"),
    "XML_ERROR_JUNK_AFTER_DOC_ELEMENT": ("there is more behind the outermost element", "Keep one census a file"),
    "XML_ERROR_UNDEFINED_ENTITY": ("an entity is used that XML does not know", "Write & as &amp;"),
    "XML_ERROR_MISPLACED_XML_PI": ("something stands before the XML declaration", "Remove it, also empty lines"),
    "XML_ERROR_UNKNOWN_ENCODING": ("it declares an encoding that is not read", "Save it as UTF-8"),
    "XML_ERROR_INCORRECT_ENCODING": ("its bytes are not in the encoding that it declares", "Save it as UTF-8"),
    "XML_ERROR_DUPLICATE_ATTRIBUTE": ("an attribute stands twice", "Export the census again"),
}
_CUT_OFF = ("XML_ERROR_UNCLOSED_TOKEN", "XML_ERROR_PARTIAL_CHAR", "XML_ERROR_UNCLOSED_CDATA_SECTION")


def _say_error(error: expat.ExpatError, wrong: bytes) -> tuple[str, str]:
    """An error of the parser in words, and what to do."""
    words = {getattr(expat.errors, name): said for name, said in _WRONG.items()}
    words |= {getattr(expat.errors, name): _WRONG["XML_ERROR_NO_ELEMENTS"] for name in _CUT_OFF}
    said = words.get(expat.errors.messages.get(error.code, ""))
    if said is None and wrong >= b"\x80":
        return (
            "its bytes are not in the encoding that it declares (UTF-8 where it declares none)",
            'Save it as UTF-8, or begin it with <?xml version="1.0" encoding="Windows-1252"?> if it is that',
        )
    return said or ("the file is not well-formed XML", "Look for a < or & in a value, or export the census again")


_LENGTH = 4
"""Bytes in which the length of a part's content is written, behind its kind."""

_PROGRAM = "import sys; sys.path[:] = sys.argv[2:]; from {module} import write_parts; write_parts(sys.argv[1])"


def _from_beside(path: Path) -> Generator[Part]:
    """The parts that another process makes of a file."""
    program = _PROGRAM.format(module=__name__)
    command = (sys.executable, "-c", program, str(path), *sys.path)
    with subprocess.Popen(  # noqa: S603  # this interpreter
        command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, bufsize=CHUNK, pipesize=AHEAD
    ) as process:
        pipe = process.stdout
        try:
            yield from _received(pipe, path.name) if pipe else ()
        finally:
            if pipe:
                pipe.close()  # Whoever still writes ends.


def _received(pipe: IO[bytes], name: str) -> Iterator[Part]:
    kind = b""
    while kind not in (REFUSED, DIGEST):
        kind, length = pipe.read(1), pipe.read(_LENGTH)
        content = pipe.read(int.from_bytes(length))
        if len(length) < _LENGTH or len(content) < int.from_bytes(length):
            raise TableError(f"{name}: the process that checks it was ended from outside. Run it again.")
        yield kind, content


def write_parts(path: str) -> None:
    """Write the parts of a file to standard output, until all are written or nobody reads them any more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The process that reads decides.
    file = Path(path)
    with suppress(BrokenPipeError):  # It has found in what it has already why it stops.
        for kind, content in check_parts(read_chunks(file), file.name):
            waiting = memoryview(kind + len(content).to_bytes(_LENGTH) + content)
            while waiting:
                waiting = waiting[os.write(1, waiting) :]
