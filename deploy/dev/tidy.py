#!/usr/bin/env python3
"""The rules of this project that no compiler knows. Prints each offence as path:line: what; exit status 1 if there is one.

Lines of sources have at most 120 columns, no trailing white space and no reminders; includes point downwards only; every
element of our proto files is documented.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

from google.protobuf import descriptor_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLUMNS = 120
SOURCES = {".cc", ".h", ".proto", ".py", ".sh", ".cmake", ".sql"}
# Copies of public files stay as they are.
COPIES = "proto/grpc/"
REMINDER = re.compile(r"\b(" + "|".join(["TO" + "DO", "FIX" + "ME", "X" * 3]) + r")\b")

# What a folder may include besides itself, common and generated code. kvs_server and txn_server never see each other.
MAY_INCLUDE = {
    "proto": [],
    "common": [],
    "common/logging": [],
    "common/model": [],
    "common/config": ["common/logging"],
    "common/process": ["common/logging"],
    "common/tls": ["common/config", "common/logging"],
    "common/rpc": ["proto", "common/logging"],
    "txn_server/log": ["common/model"],
    "txn_server/log/compaction": ["txn_server/log", "common/model"],
    "txn_server/log/postgres": ["txn_server/log", "txn_server/log/compaction", "common/model"],
    "txn_server/log/file": ["txn_server/log", "txn_server/log/compaction", "common/logging", "common/model"],
    "txn_server/api": ["txn_server/log", "common/logging", "common/model", "common/rpc"],
    "txn_server": ["txn_server/*", "common/*"],
    "kvs_server/store": ["common/model"],
    "kvs_server/journal": ["common/logging", "common/model", "common/rpc"],
    "kvs_server/engine": ["kvs_server/store", "kvs_server/journal", "common/logging", "common/model"],
    "kvs_server/api": ["kvs_server/engine", "kvs_server/journal", "common/logging", "common/model", "common/rpc"],
    "kvs_server": ["kvs_server/*", "common/*"],
    "clients/cpp": ["common/config", "common/logging", "common/model", "common/rpc", "common/tls"],
    "clients/bench": ["common/logging", "common/rpc"],
    # `kvs log` reads the files of the ledger.
    "clients/cli": ["clients/*", "common/*", "txn_server/log", "txn_server/log/*"],
    "clients/cli/doctor": ["clients/*", "common/*"],
}
GENERATED = re.compile(r"\.pb\.h$")
INCLUDE = re.compile(r'^#include "([^"]+)"')

offences = []


def report(path, line, what):
    offences.append(f"{path}:{line}: {what}")


def check_lines(path, lines):
    for number, line in enumerate(lines, 1):
        if len(line) > COLUMNS and not path.endswith(".py"):
            report(path, number, f"{len(line)} columns, at most {COLUMNS} are allowed")
        if line != line.rstrip():
            report(path, number, "white space at the end of the line")
        if REMINDER.search(line):
            report(path, number, "a reminder: do it, or write it down as an issue")
    if lines and lines[-1] == "":
        report(path, len(lines), "empty lines at the end of the file")


def may_include(folder, target):
    if target in (folder, "common"):
        return True
    return any(target == rule or (rule.endswith("/*") and target.startswith(rule[:-1])) for rule in MAY_INCLUDE[folder])


def check_includes(path, lines):
    folder = str(pathlib.PurePath(path).parent)
    if folder.split("/")[0] in ("tests", "bench", "cmake"):
        return
    if folder not in MAY_INCLUDE:
        # An example or a tool of its own beside a library.
        folder = str(pathlib.PurePath(folder).parent)
    if folder not in MAY_INCLUDE:
        report(path, 1, "deploy/dev/tidy.py does not say yet what this folder may include")
        return
    for number, line in enumerate(lines, 1):
        match = INCLUDE.match(line)
        if match and not GENERATED.search(match.group(1)):
            target = str(pathlib.PurePath(match.group(1)).parent)
            if not may_include(folder, target):
                report(path, number, f"{folder} must not include {target}")


# The lists of a descriptor that hold elements, by the field number that the path of a comment names.
ELEMENTS = {
    descriptor_pb2.FileDescriptorProto: {4: "message_type", 5: "enum_type", 6: "service"},
    descriptor_pb2.DescriptorProto: {2: "field", 3: "nested_type", 4: "enum_type", 8: "oneof_decl"},
    descriptor_pb2.EnumDescriptorProto: {2: "value"},
    descriptor_pb2.ServiceDescriptorProto: {2: "method"},
}


def elements(parent, path):
    """All elements below `parent` with their paths, but those that protoc makes for maps and optional fields."""
    for number, name in ELEMENTS.get(type(parent), {}).items():
        for index, element in enumerate(getattr(parent, name)):
            below = (*path, number, index)
            synthetic = name == "oneof_decl" and all(
                f.proto3_optional for f in parent.field if f.HasField("oneof_index") and f.oneof_index == index
            )
            if synthetic or (name == "nested_type" and element.options.map_entry):
                continue
            yield below, element
            yield from elements(element, below)


def check_protos(paths):
    with tempfile.NamedTemporaryFile() as out:
        subprocess.run(
            ["protoc", "-Iproto", "--include_imports", "--include_source_info", f"--descriptor_set_out={out.name}", *paths],
            cwd=ROOT,
            check=True,
        )
        files = descriptor_pb2.FileDescriptorSet.FromString(pathlib.Path(out.name).read_bytes()).file
    ours = {str(pathlib.PurePath(path).relative_to("proto")) for path in paths}
    for file in files:
        if file.name not in ours:
            continue
        locations = {tuple(location.path): location for location in file.source_code_info.location}
        for path, element in elements(file, ()):
            location = locations[path]
            if not (location.leading_comments.strip() or location.trailing_comments.strip()):
                report(f"proto/{file.name}", location.span[0] + 1, f"{element.name} has no comment")


def main():
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    paths = [path for path in listed.split("\0") if path and (ROOT / path).is_file() and not path.startswith(COPIES)]
    for path in paths:
        pure = pathlib.PurePath(path)
        if pure.suffix not in SOURCES and pure.name not in ("CMakeLists.txt", "Makefile", "Dockerfile"):
            continue
        text = (ROOT / path).read_text()
        if text and not text.endswith("\n"):
            report(path, text.count("\n") + 1, "no newline at the end of the file")
        lines = text.split("\n")[:-1]
        check_lines(path, lines)
        if pure.suffix in (".cc", ".h"):
            check_includes(path, lines)
    check_protos([path for path in paths if path.endswith(".proto")])
    print("\n".join(offences) if offences else f"{len(paths)} files follow the rules.")
    return 1 if offences else 0


sys.exit(main())
