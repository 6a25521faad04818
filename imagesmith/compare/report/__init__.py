"""What a comparison found, told: a table for the terminal, and report.json, .md and .html.

`timeline` bins what happened, `limits` says what it does not show;
`document`, `table`, `markdown` and `html` are the four ways to tell it, `write` makes the files.
"""
