"""What a stack trace says: the type of the exception, and which of its frames are the application's own code.

Knows the traces of Python, Java and Kotlin, JavaScript, .NET and Go by how their frames are written. Own is what is not
known to be a library: docs/formats.md has the list. Line numbers, arguments and folders change with every deployment
and are not looked at. Every pattern takes time linear in a trace: traces are hostile too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_PYTHON = "Traceback (most recent call last):"
_NAME = re.compile(r"(?!Traceback\b)([A-Za-z_][\w.$]*)(?::|\s*$)", re.ASCII)
_JAVA = re.compile(r'(?:Exception in thread "[^"]*" )?([\w.$]*(?:Exception|Error|Throwable))(?::|\s*$)', re.ASCII)
_CAUSE = re.compile(r"^(?:\s*Caused by: | ---> )([\w.$]+)", re.ASCII | re.MULTILINE)

_FRAME = re.compile(
    r'^[ |]*File "(?P<file>[^"\n]+)", line [0-9]+, in (?P<function>.+)$'
    r"|^[ \t|]*at (?:async )?(?:(?P<name>[^\s(][^(\n]*?) ?\((?P<place>[^\n]*?)\)|(?P<script>\S+:[0-9]+:[0-9]+))"
    r"|^(?P<go>[^\s(][^\n]*)\([^(\n]*\)\n\t(?P<source>[^\n]+?\.go):[0-9]+",
    re.MULTILINE,
)
_LIBRARY_FILE = re.compile(
    r"[/\\](?:site-packages|dist-packages|node_modules|lib[/\\]python[0-9.]+|python[0-9.]*[/\\]lib|go[/\\]pkg[/\\]mod"
    r"|go[/\\]src|vendor)[/\\]|^<|^node:|^internal/|^native ",
    re.IGNORECASE,
)
_LIBRARY_NAME = re.compile(
    r"(?:java|javax|jakarta|jdk|sun|com\.sun|kotlin|kotlinx|scala|groovy|clojure|org\.(?:springframework|apache|hibernate"
    r"|eclipse|jboss|postgresql|slf4j|junit)|io\.(?:netty|grpc|micrometer|opentelemetry)|reactor|akka|okhttp3"
    r"|com\.(?:fasterxml|google|mysql|zaxxer)|ch\.qos|System|Microsoft)\."
)
_SCRIPT_PLACE = re.compile(r"(?P<file>.+?):[0-9]+:[0-9]+", re.ASCII)
# Names that compilers, bundlers and proxies make up: lambda$pay$3, $Proxy12, <>c__DisplayClass4_0, main.3f2a1bc9.js
_MADE_UP = re.compile(r"(?<=[.-])[0-9a-f]{8,}(?=\.)|0x[0-9a-fA-F]+|[0-9]+")


def exception_type(stack_trace: str) -> str | None:
    """The exception's name as the trace writes it; None when it has none."""
    _, found, tail = stack_trace.rpartition(_PYTHON)
    if not found:
        return _first(_JAVA, tail.split("\n", 1)[:1])
    return _first(_NAME, [line for line in tail.split("\n")[1:] if line[:1] not in ("", " ", "\t")])


def own_frames(stack_trace: str) -> tuple[str, ...]:
    """Where it happened, in the trace's order: each of the application's frames once, and the types of Java's causes.

    A frame is its function with its file or class. Of a trace that has only frames of libraries it is all of these; of
    a text without frames it is empty.
    """
    frames = list(_frames(stack_trace))
    own = [name for name, library in frames if not library]
    causes = [f"caused by {name}" for name in _CAUSE.findall(stack_trace)] if frames else []
    return tuple(dict.fromkeys([*(own or [name for name, _ in frames]), *causes]))


def _frames(stack_trace: str) -> Iterator[tuple[str, bool]]:
    """Each frame, and whether it is a library's."""
    for found in _FRAME.finditer(stack_trace):
        file, function = _place(found)
        library = bool(_LIBRARY_FILE.search(file)) if file else bool(_LIBRARY_NAME.match(function))
        name = re.split(r"[/\\]", file)[-1]
        yield _MADE_UP.sub("0", f"{name}:{function}" if name else function), library


def _place(found: re.Match[str]) -> tuple[str, str]:
    """The file, empty where the function's name says where it is, and the function."""
    if found["file"]:
        return found["file"], found["function"].strip()
    if found["go"]:
        return found["source"], found["go"]
    if found["script"]:
        return _SCRIPT_PLACE.sub(r"\g<file>", found["script"]), ""
    if script := _SCRIPT_PLACE.fullmatch(found["place"]):
        return script["file"], found["name"]
    # Java's place is a file without its folder, .NET's are the arguments: the name has package and class. Java puts a
    # module in front.
    return "", found["name"].rpartition("/")[2]


def _first(pattern: re.Pattern[str], lines: list[str]) -> str | None:
    return next((match[1] for line in lines if (match := pattern.match(line))), None)
