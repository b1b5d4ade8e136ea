#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Every value of a trace, decoded by CodeTracer's released crate of its types, is what was written.

The crate has CodeTracer's own ValueRecord, which its replay server decodes each value with. No release reads the
container and the streams of a .ct yet: those are tests/ctcheck.py's.
"""
import functools
import glob
import json
import os
import shutil
import struct
import subprocess
import unittest

import support
from support import BUILD, TESTS

import ctcheck

CRATE = os.path.join(TESTS, "codetracer")
TARGET = os.path.join(BUILD, "codetracer")
ENV = dict(os.environ, CARGO_TARGET_DIR=TARGET)


@functools.lru_cache(None)
def decoder():
    """Builds it; its path. unittest.SkipTest without a cargo that can."""
    if not shutil.which("cargo"):
        raise unittest.SkipTest("no cargo")
    manifest = ["--locked", "--manifest-path", os.path.join(CRATE, "Cargo.toml")]
    for need in (["--offline"], []):
        fetched = subprocess.run(["cargo", "fetch", *manifest, *need], env=ENV, capture_output=True, text=True)
        if fetched.returncode == 0:
            break
    else:
        raise unittest.SkipTest("cargo can't get codetracer_trace_types: " + fetched.stderr.strip().splitlines()[-1])
    built = subprocess.run(["cargo", "build", "--offline", *manifest], env=ENV, capture_output=True, text=True)
    if built.returncode and "requires rustc" in built.stderr:
        raise unittest.SkipTest("this rustc is too old for codetracer_trace_types")
    if built.returncode:
        raise AssertionError(built.stderr)
    return os.path.join(TARGET, "debug", "values")


def values(trace):
    """[(where, CBOR, what ctcheck reads in it)]"""
    found, real = [], ctcheck.value

    def value(raw, where, ntypes):
        v = real(raw, where, ntypes)
        found.append((where, raw, v))
        return v
    ctcheck.value = value
    try:
        ctcheck.read(trace)
    finally:
        ctcheck.value = real
    return found


def known(v):
    """Without what CodeTracer's type does not have: names of fields, and a Bool's text (another reader of its takes that)."""
    if isinstance(v, list):
        return [known(x) for x in v]
    if isinstance(v, dict):
        return {k: known(x) for k, x in v.items() if k != "field_names" and (k != "text" or v.get("kind") != "Bool")}
    return v


class Values(support.Recording):
    def setUp(self):
        decoder()
        super().setUp()

    def decoded(self, trace):
        """[(where, what ctcheck reads, what CodeTracer reads)]"""
        found = values(trace)
        r = subprocess.run([decoder()], input=b"".join(struct.pack("<I", len(raw)) + raw for _, raw, _ in found), stdout=subprocess.PIPE, check=True)
        said = [json.loads(row) for row in r.stdout.splitlines()]
        self.assertEqual(len(said), len(found))
        return [(where, v, s) for (where, _, v), s in zip(found, said)]

    def test_recorded(self):
        seen = set()
        for script in sorted(glob.glob(os.path.join(TESTS, "programs", "values*.py"))) + [os.path.join(TESTS, "golden", "demo.py")]:
            with self.subTest(os.path.basename(script)):
                for where, v, said in self.decoded(self.record(script)):
                    seen.add(said.get("kind"))
                    self.assertEqual(said, known(v), where)
        self.assertGreaterEqual(seen, {"Int", "Bool", "String", "None", "Raw", "Sequence", "Tuple", "Struct"})

    def test_forms_that_are_not_its_own_are_refused(self):
        """The golden trace holds some on purpose: what is compared above can fail."""
        refused = {where.split()[-1] for where, _, said in self.decoded(os.path.join(TESTS, "golden", "two-files.ct")) if "refused" in said}
        self.assertEqual(refused, {"f", "bigb", "set"})

    test_recorded.timeout = test_forms_that_are_not_its_own_are_refused.timeout = 400


if __name__ == "__main__":
    unittest.main()
