"""The record of a trace: functions of hl ops, names and lines for their values, derivatives inside them."""
