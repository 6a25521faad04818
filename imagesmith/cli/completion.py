"""`imagesmith completion`: what can stand where the cursor is, for bash, zsh, fish and Docker.

A shell asks `imagesmith __complete WORD… LAST` and gets the candidates for the last word, each with
its help after a tab, and a line `:N` that says how to go on. It is the protocol of spf13/cobra,
by which Docker asks its plugins.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

from imagesmith.cli.app import command_of, summary_of, words_after
from imagesmith.cli.commands import COMMANDS, GROUPS
from imagesmith.cli.parameter import Argument

if TYPE_CHECKING:
    from imagesmith.cli.command import Command
    from imagesmith.cli.parameter import Parameter

__all__ = ["answer", "completion"]

FILES, NO_FILES = 0, 4
"""What cobra's directive says: files may be meant as well, or not."""


class Shell(StrEnum):
    """A shell that we know how to talk to."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


SCRIPTS = {
    Shell.BASH: """\
_imagesmith() {
  local out line IFS=$'\\n'
  out=$(imagesmith __complete "${COMP_WORDS[@]:1:COMP_CWORD-1}" \\
    "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null) || return
  COMPREPLY=()
  for line in $out; do
    case $line in
      :0) compopt -o default ;;
      :*) ;;
      *) COMPREPLY+=("${line%%$'\\t'*}") ;;
    esac
  done
}
complete -F _imagesmith imagesmith
""",
    Shell.ZSH: """\
#compdef imagesmith
_imagesmith() {
  local -a lines found
  local line asked=("${(@)words[2,CURRENT-1]}" "${words[CURRENT]}")
  lines=("${(@f)$(imagesmith __complete "${(@)asked}" 2>/dev/null)}")
  for line in $lines; do
    case $line in
      :0) _files ;;
      :*) ;;
      *) found+=("${${line//:/\\\\:}/$'\\t'/:}") ;;
    esac
  done
  (( $#found )) && _describe imagesmith found
}
compdef _imagesmith imagesmith
""",
    Shell.FISH: """\
function __imagesmith
  set -l words (commandline -opc) (commandline -ct)
  for line in (imagesmith __complete $words[2..] 2>/dev/null)
    switch $line
      case ':0'
        __fish_complete_path (commandline -ct)
      case ':*'
      case '*'
        echo $line
    end
  end
end
complete -c imagesmith -f -a '(__imagesmith)'
""",
}


def completion(
    shell: Annotated[Shell, Argument("SHELL", help="bash, zsh or fish.")],
) -> None:
    """Print what a shell needs to complete commands, options and values.

    As a plugin of Docker's command, imagesmith is completed by Docker's own completion.

    Examples:
      source <(imagesmith completion bash)
      imagesmith completion fish > ~/.config/fish/completions/imagesmith.fish
    """
    print(SCRIPTS[shell], end="")


def answer(words: Sequence[str]) -> str:
    """The candidates for the last of the words, and what cobra calls the directive."""
    *before, last = words or [""]
    name = "imagesmith"
    for at, word in enumerate(before):
        if f"{name} {word}" in COMMANDS:
            command = command_of(f"{name} {word}")
            return _lines(*_in_command(command, before[at + 1 :], last), last)
        name = f"{name} {word}"
        if name not in GROUPS:
            return _lines((), NO_FILES, last)
    found = [(word, summary_of(f"{name} {word}")) for word in words_after(name)]
    return _lines([*found, ("--help", "Print this help.")], NO_FILES, last)


def _in_command(
    command: Command, before: Sequence[str], last: str
) -> tuple[list[tuple[str, str]], int]:
    options = {name: item for item in command.options for name in item.names}
    name, equals, _ = last.partition("=")
    if equals and name in options:
        return [(f"{name}={value}", "") for value in options[name].choices], FILES
    previous = options.get(before[-1]) if before else None
    if previous and not previous.is_flag:
        return [(value, "") for value in previous.choices], _files(previous)
    if last.startswith("-"):
        found = [(name, item.declared.help) for name, item in options.items()]
        return [*found, ("--help", "Print this help.")], NO_FILES
    values = [value for item in command.arguments for value in item.choices]
    takes_files = any(not item.choices for item in command.arguments)
    return [(value, "") for value in values], FILES if takes_files else NO_FILES


def _files(item: Parameter) -> int:
    return NO_FILES if item.choices else FILES


def _lines(found: Sequence[tuple[str, str]], directive: int, last: str) -> str:
    return "\n".join([*_matching(found, last), f":{directive}"])


def _matching(found: Sequence[tuple[str, str]], last: str) -> Iterator[str]:
    for word, told in found:
        if word.startswith(last) and (last or not word.startswith("-")):
            yield f"{word}\t{told}" if told else word
