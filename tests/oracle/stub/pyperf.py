"""Just enough of pyperf to run the body of a benchmark once, in this process.

CTREC_BENCH_ARG replaces the benchmark's own size, CTREC_BENCH_LOOPS repeats it.
"""
import os
import sys

perf_counter = float      # a clock that stands still: two runs must have the same values


class Arguments:
    def __init__(self):
        self.options = {}

    def add_argument(self, name, type=str, default=None, help=None, **rest):
        self.options[name.lstrip("-").replace("-", "_")] = (type, default)


class Runner:
    def __init__(self, **ignored):
        self.metadata = {}
        self.argparser = Arguments()
        self.loops = int(os.environ.get("CTREC_BENCH_LOOPS", "1"))
        self.size = os.environ.get("CTREC_BENCH_ARG")

    def parse_args(self):
        class Args:
            pass
        args = Args()
        for name, (type_, default) in self.argparser.options.items():
            sized = self.size if self.size and type_ is int else None
            setattr(args, name, type_(sized) if sized else default)
        return args

    def bench_func(self, name, func, *args):
        if self.size and args:
            args = (int(self.size),) + args[1:]
        for _ in range(self.loops):
            func(*args)

    def bench_time_func(self, name, func, *args):
        func(self.loops, *args)
