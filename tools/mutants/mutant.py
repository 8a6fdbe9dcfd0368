"""One mutation: a text in a file and what stands there instead."""

from dataclasses import dataclass

from nf.core.errors import ConfigError


@dataclass(frozen=True)
class Mutant:
    """A broken line.

    Attributes:
        name: what ``--only`` takes.
        breaks: what goes wrong, in a few words.
        file: path from the root of the project.
        before: the text as it is, found once in the file.
        after: what takes its place.
        tests: files of tests that must notice, or single tests of a long file.
    """

    name: str
    breaks: str
    file: str
    before: str
    after: str
    tests: tuple[str, ...]

    def apply(self, text: str) -> str:
        """``text``, the content of ``file``, with the mutation.

        Raises:
            ConfigError: ``before`` does not stand there exactly once, or ``after`` changes nothing.
        """
        found = text.count(self.before)
        if found != 1:
            raise ConfigError(
                f"mutant {self.name!r}: expected its text once in {self.file}, found it {found} times; "
                "bring the table in tools/mutants up to date"
            )
        if self.before == self.after:
            raise ConfigError(f"mutant {self.name!r}: expected another text than the one that is there, got the same")
        return text.replace(self.before, self.after)
