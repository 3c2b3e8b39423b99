"""The two things that a verification may wait for: keys from DNS, and the hashes of a body."""

import asyncio
from collections.abc import Collection, Mapping

from gateway.checks.dkim.canonical import BodyHash, BodyHasher, BodyPlan, hash_whole
from gateway.message import CHUNK, Message
from gateway.system.dns import Answer, Resolver
from gateway.system.together import together

BREATH = 1 << 18  # octets hashed, in 1 to 4 ms, before other sessions of this worker get their turn


async def look_up_keys(resolver: Resolver, names: Collection[str]) -> Mapping[str, Answer]:
    """The TXT records of all `names`, asked for at once."""
    if len(names) == 1:  # as most often
        (name,) = names
        return {name: await resolver.query(name, "TXT")}
    answers = await together(resolver.query(name, "TXT") for name in names)
    return dict(zip(names, answers, strict=True))


def cached_keys(resolver: Resolver, names: Collection[str]) -> Mapping[str, Answer] | None:
    """The same without waiting; None where one of them is not at hand."""
    answers: dict[str, Answer] = {}
    for name in names:
        answer = resolver.cached(name, "TXT")
        if answer is None:
            return None
        answers[name] = answer
    return answers


async def hash_body(message: Message, plans: Collection[BodyPlan]) -> Mapping[BodyPlan, BodyHash]:
    """The hashes of the message's body for all `plans`, in one pass over it; none is made where there is no plan."""
    short = hash_short(message, plans)
    if short is not None:
        return short
    hasher = BodyHasher(plans)
    hashed = 0
    for chunk in message.body():
        hasher.update(chunk)
        hashed += len(chunk)
        if hashed >= BREATH:
            hashed = 0
            await asyncio.sleep(0)
    return hasher.finish()


def hash_short(message: Message, plans: Collection[BodyPlan]) -> Mapping[BodyPlan, BodyHash] | None:
    """The same of a body that is one chunk at most, as of most messages; None of a longer one."""
    if not plans:
        return {}
    if message.content.size - message.header_size > CHUNK:
        return None
    body = b"".join(message.body())
    if len(plans) == 1:
        (plan,) = plans
        return {plan: hash_whole(body, plan)}
    hasher = BodyHasher(plans)
    hasher.update(body)
    return hasher.finish()
