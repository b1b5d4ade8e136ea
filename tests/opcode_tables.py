#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""The opcodes of the CPython that runs this, as a C table for daemon/python/opcode_tables.c.

    pythonX.Y tests/opcode_tables.py            prints the table
    pythonX.Y tests/opcode_tables.py FILE.c     compares it with the one in FILE.c

Everything comes from the interpreter's own `opcode` module: which instruction a
specialised or instrumented one stands for, and how many units of inline cache follow.
3.11 and 3.12 give their specialised instructions no number there: they take the
numbers that are free, from 1 on, in the order of the module's list.
"""
import opcode
import sys


def numbers():
    """Name -> number of every instruction there can be in memory."""
    known = {n: i for n, i in opcode.opmap.items() if i < 256}
    if hasattr(opcode, "_specialized_opmap"):
        known.update(opcode._specialized_opmap)
        return known
    free = iter([i for i in range(1, 255) if i not in known.values()])
    known.update((name, next(free)) for name in opcode._specialized_instructions)
    return known


def table():
    known = numbers()
    base = {known[s]: known[name] for name, special in opcode._specializations.items() for s in special if s in known}
    for name, i in known.items():
        if name.startswith("INSTRUMENTED_") and name[13:] in known:
            base[i] = known[name[13:]]
    caches = opcode._inline_cache_entries
    if isinstance(caches, dict):
        caches = {known[name]: n for name, n in caches.items() if name in known and n}
    else:
        caches = {i: n for i, n in enumerate(caches) if n}
    return known, base, {i: n for i, n in caches.items() if i not in base}


def rows(name, values):
    out, row = [f"\t.{name} = {{"], "\t\t"
    for i, v in sorted(values.items()):
        cell = f"[{i}] = {v}, "
        if len(row) + 14 + len(cell) > 98:
            out.append(row.rstrip())
            row = "\t\t"
        row += cell
    return out + [row.rstrip(), "\t},"]


def text():
    known, base, caches = table()
    version = f"{sys.version_info[0]}_{sys.version_info[1]}"
    special = {"line": "INSTRUMENTED_LINE", "instruction": "INSTRUMENTED_INSTRUCTION", "executor": "ENTER_EXECUTOR"}
    out = [f"static const struct opcode_table python_{version} = {{", f"\t.python = {sys.version_info[0]} << 8 | {sys.version_info[1]},"]
    out += [f"\t.{field} = {known[name]}," for field, name in special.items() if name in known]
    out += rows("base", base) + rows("caches", caches)
    return "\n".join(out + ["};"])


def main():
    if len(sys.argv) < 2:
        print(text())
        return 0
    with open(sys.argv[1], encoding="utf-8") as f:
        same = text() in f.read()
    print(f"opcodes of {sys.version.split()[0]}: {'as' if same else 'NOT as'} in {sys.argv[1]}")
    return not same


sys.exit(main())
