"""The tests of nsreason, room by room as the package; `support` holds what they share."""
