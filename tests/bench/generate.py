"""Rows a second that `galen generate` writes to CSV on one thread (part H.4)."""

import os
import sys

from measure import ROOT, home, report, run


def main():
    with home({}) as folder:
        for name, file, size in [
            ("the synthetic clinic", "generate.yaml", ["--scale", "large"]),
            ("PadChest-shaped, 36 columns", "padchest.yaml", ["--rows", "500000"]),
        ]:
            declaration = os.path.join(ROOT, "dags", "efiche", file)
            out = os.path.join(folder, name)
            ran = run(["generate", declaration, "--out", out, "--threads", "1", "--date", "2026-01-01", *size])
            files = [os.path.join(out, f) for f in os.listdir(out) if f.endswith(".csv")]
            rows = 0
            for file in files:
                with open(file, "rb") as text:
                    # line breaks inside quotes are few and only make the figure smaller
                    rows += sum(block.count(b"\n") for block in iter(lambda: text.read(1 << 20), b"")) - 1
            megabytes = sum(map(os.path.getsize, files)) / 1e6
            report(
                f"generate {name}",
                f"{rows / ran.processor:,.0f} rows/s of processor, {rows / ran.seconds:,.0f} of wall time, "
                f"{megabytes / ran.seconds:.0f} MB/s, {ran.megabytes:.0f} MB",
                "≥ 500,000 rows/s",
            )


if __name__ == "__main__":
    sys.exit(main())
