"""Names that would run a script in a page that does not escape them."""

HOSTILE = (
    "</script><script>window.hacked = 1</script>",
    "\"><img src=x onerror='window.hacked = 1'>",
    "${{7*7}}{{7*7}}<!-- \u2028 ]]> ' \" `",
)


class Hostile:
    """A sequence of such names."""

    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> str:
        return HOSTILE[index % len(HOSTILE)] + str(index)
