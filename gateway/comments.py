"""Comments: what stands in parentheses in the text of a structured field, to be passed over or taken out (RFC 5322
section 3.2.2). They may nest, and a backslash takes its meaning from what follows it. Linear, and never recursive.
"""

import re

# In Python 3.11.0 to 3.11.4 a possessive group loses its place where it begins to match once more and fails, as it does
# at a comment without an end (python/cpython#106052): those with comments in them are greedy, and bounded, since a
# greedy group remembers each turn.
_TURNS = 200
_LEAF = r"\([^()\\]*+\)"  # a comment that holds no other: a regular expression passes over these many times faster
_PLAIN = r"[^(\\]*+(?:\\.[^(\\]*+)*+"
_WITHIN = r"[^()\\]*+(?:\\.[^()\\]*+)*+"
_outside_re = re.compile(rf"((?:[^(\\]++|\\.)++)|{_LEAF}", re.DOTALL)
_without_branches_re = re.compile(rf"{_PLAIN}(?:{_LEAF}{_PLAIN}){{0,{_TURNS}}}", re.DOTALL)
_to_parentheses_re = re.compile(rf"{_WITHIN}(?:{_LEAF}{_WITHIN}){{0,{_TURNS}}}(\(+|\)+)", re.DOTALL)


def end_of_comment(text: str, start: int) -> int:
    """Where the comment is over whose parenthesis stands at `start`; -1 where it never is."""
    depth, position = 1, start + 1
    while depth > 0:
        match = _to_parentheses_re.match(text, position)
        if match is None:
            return -1
        run, position = match[1], match.end()
        depth += len(run) if run[0] == "(" else -len(run)
    return position + depth  # the last run may have had more parentheses than were open


def without_comments(text: str) -> str:
    """The text outside of comments; one that does not end takes all that follows."""
    kept, position = [], 0
    while position >= 0:
        plain = _without_branches_re.match(text, position)
        assert plain is not None
        kept += _outside_re.findall(plain[0])
        if not text.startswith("(", plain.end()):
            kept.append(text[plain.end() :])  # a backslash that is the last character
            break
        position = end_of_comment(text, plain.end())
    return "".join(kept)
