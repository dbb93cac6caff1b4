"""Makes one fault after another in a copy of the package, and runs the tests that must detect it.

    python -m tests.mutants                      all
    python -m tests.mutants --only training      one area
    python -m tests.mutants --filter stopping    those with a text in file, fault or tests
    python -m tests.mutants --unmutated          the selections without any fault: all must pass

Faults in C++ compile the files that they change in ``build/mutants``, by cmake and ninja. The exit
status is 1 if a fault survived, or if tests that are to detect it cannot be run.
"""

import argparse
import sys
import time
from contextlib import nullcontext

from tests.mutants.copies import Copy, copy_of_the_package
from tests.mutants.kernel_build import KernelBuild
from tests.mutants.mutant import Mutant
from tests.mutants.table import AREAS


def main() -> int:
    arguments = _parser().parse_args()
    chosen = [
        (area, mutant)
        for area in arguments.only or AREAS
        for mutant in AREAS[area]
        if arguments.filter in f"{mutant.fault} {mutant.file} {mutant.tests} {mutant.only}"
    ]
    kernels = any(_is_kernel(mutant) for _, mutant in chosen)
    build = KernelBuild(arguments.isa) if kernels else None
    with copy_of_the_package() as copy:
        if arguments.unmutated:
            return _run_unmutated(copy, build, [mutant for _, mutant in chosen])
        return _run_mutants(copy, build, chosen)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        "python -m tests.mutants",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", action="append", choices=AREAS, metavar="AREA", help="an area")
    parser.add_argument("--filter", default="", metavar="TEXT", help="those that contain a text")
    parser.add_argument("--unmutated", action="store_true", help="run the selections without fault")
    parser.add_argument("--isa", default="avx2", help="instruction set of kernels with faults")
    return parser


def _run_mutants(copy: Copy, build: KernelBuild | None, chosen: list[tuple[str, Mutant]]) -> int:
    alive, total = 0, 0.0
    for area, mutant in chosen:
        begin = time.monotonic()
        kernels = build if _is_kernel(mutant) else None
        try:
            with kernels.mutated(mutant, copy.extension) if kernels else copy.mutated(mutant):
                outcome = copy.run(mutant.tests, mutant.only)
            verdict, how = "killed" if outcome.failed else "SURVIVED", outcome.how
        except ValueError as error:
            verdict, how = "ERROR", str(error)
        seconds = time.monotonic() - begin
        total += seconds
        alive += verdict != "killed"
        _print(verdict, seconds, f"{area}: {mutant.fault}", how)
    print(f"{len(chosen) - alive} of {len(chosen)} killed, {alive} not, {total:.0f} s")
    return int(alive > 0)


def _run_unmutated(copy: Copy, build: KernelBuild | None, mutants: list[Mutant]) -> int:
    failed = 0
    selections = dict.fromkeys((m.tests, m.only, _is_kernel(m)) for m in mutants)
    for tests, only, kernel in selections:
        with build.installed(copy.extension) if build is not None and kernel else nullcontext():
            outcome = copy.run(tests, only)
        failed += outcome.failed
        verdict = "FAILED" if outcome.failed else "passed"
        _print(verdict, outcome.seconds, f"{tests} -k {only!r}", outcome.how)
    print(f"{len(selections) - failed} of {len(selections)} selections passed")
    return int(failed > 0)


def _is_kernel(mutant: Mutant) -> bool:
    return mutant.file.endswith((".cpp", ".h"))


def _print(verdict: str, seconds: float, what: str, how: str) -> None:
    print(f"{verdict:8} {seconds:6.1f} s  {what}  ({how})", flush=True)


if __name__ == "__main__":
    sys.exit(main())
