"""What action.yml runs: inputs become `imagesmith build`, and what that tells becomes a summary.

`inputs` reads what the user wrote, `told` what the build says of itself, `summary` writes
Markdown, `workflow` speaks the runner's language, `run` is the order in which it all happens.
"""
