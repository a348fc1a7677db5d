"""Networks that answer without programs: the baselines of program execution. Everything here computes with torch."""
