"""The measurements: rates, latencies, CPU and ratios in one run on the same machine and broker (`./tanka bench`)."""
