"""Networks that answer without programs: what programs are to be compared with. Everything here computes with torch."""
