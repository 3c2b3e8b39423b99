"""Mailing: turns MAIL, RCPT, DATA and BDAT of one client into calls of its visit (RFC 5321 section 3.3, RFC 3030)."""

import logging
from collections.abc import Awaitable

from gateway.envelope import Envelope, Recipient
from gateway.reply import Reply
from gateway.smtp import replies
from gateway.smtp.chunks import Chunk, parse_chunk
from gateway.smtp.collecting import Collection, Pieces
from gateway.smtp.commands import parse_mail, parse_rcpt
from gateway.smtp.front import Front
from gateway.smtp.ids import envelope_id
from gateway.smtp.inbox import Inbox
from gateway.smtp.intake import DISCARD, Fault
from gateway.smtp.offer import Extension, Offer
from gateway.smtp.tally import Tally
from gateway.smtp.voice import Voice
from gateway.system.watchdog import Watchdog
from gateway.visit import Visit

SMALL_CHUNK = 1024  # octets; smaller ones are counted as commands, so that their number is bounded

log = logging.getLogger(__name__)


class Mailing:
    """The transactions of a connection. Where `offer` is None the client has not greeted."""

    def __init__(
        self, front: Front, visit: Visit, inbox: Inbox, watchdog: Watchdog, voice: Voice, tally: Tally, ident: str
    ) -> None:
        self._front = front
        self._visit = visit
        self._inbox = inbox
        self._watchdog = watchdog
        self._voice = voice
        self._tally = tally
        self._ident = ident
        self._transactions = 0
        self._envelope: Envelope | None = None  # of the transaction under way
        self._recipients = 0
        self._collection: Collection | None = None  # of the message under way
        # The last transaction was refused, and with this its further chunks: what is pipelined behind is no error.
        self._aftermath: Reply | None = None
        self.progress = watchdog.now()
        self.is_amid_octets = False  # the next octets are those of a message
        self.has_whole_message = False  # of which there is no answer yet
        self.is_past_final_dot = False  # the message is finished, whatever the client does
        self.client = ""  # whose turn it is where messages wait

    @property
    def is_under_way(self) -> bool:
        return self._envelope is not None

    @property
    def deadline(self) -> float | None:
        """When the next chunk must come, in the loop's time, where one is due."""
        return self._collection.pieces.deadline if self._collection else None

    async def mail(self, argument: str, offer: Offer | None) -> None:
        if offer is None or self._envelope is not None:
            return self._voice.refuse(replies.UNDER_WAY if offer else replies.NEED_HELO)
        if farewell := self._tally.transaction():
            return self._voice.dismiss(farewell)
        self._transactions += 1
        self._aftermath = replies.NEED_MAIL
        if busy := self._front.sessions.busy():
            self._aftermath = busy
            return self._voice.say(busy)
        envelope = parse_mail(argument, offer, envelope_id=envelope_id(self._ident, self._transactions))
        if not isinstance(envelope, Envelope):
            return self._voice.refuse(envelope)
        answer = await self._visit.mail(envelope)
        if answer.is_success:
            self._envelope = envelope
            self.progress = self._watchdog.now()
        self._aftermath = None if self._envelope else answer
        return self._voice.say(answer)

    async def rcpt(self, argument: str, offer: Offer | None) -> None:
        if offer is None or self._envelope is None or self._collection is not None:
            return self._refuse_out_of_turn(offer)
        if self._recipients >= self._front.settings.max_recipients:
            return self._voice.say(replies.TOO_MANY_RECIPIENTS)
        recipient = parse_rcpt(argument, offer, self._envelope)
        if not isinstance(recipient, Recipient):
            return self._voice.refuse(recipient)
        answer = await self._visit.rcpt(recipient)
        self._voice.say(answer)
        if answer.is_success:
            self._recipients += 1
            self._tally.recipient()
            self.progress = self._watchdog.now()
        elif answer.is_permanent:
            self._voice.dismiss(self._tally.refused_recipient())
        return None

    async def data(self, argument: str, offer: Offer | None) -> None:
        if argument:
            return self._voice.refuse(replies.NO_ARGUMENT)
        if self._envelope is None or self._collection is not None:
            return self._refuse_out_of_turn(offer)
        if not self._recipients:
            return self._voice.say(replies.NO_RECIPIENTS)
        if busy := self._front.sessions.busy():
            return self._voice.say(busy)
        collection = self._begin()
        self._voice.prompt(replies.START_MAIL)
        self.is_amid_octets = True
        await collection.read_data()
        self.is_amid_octets = False
        if collection.intake.fault is None:
            return self._voice.say(await self._hand_over(collection))
        say = self._voice.dismiss if collection.intake.is_hopeless else self._voice.say
        return say(await self._refuse(collection.intake.fault, collection.trouble))

    async def bdat(self, argument: str, offer: Offer | None) -> None:
        chunk = parse_chunk(argument)
        if chunk is None:
            return self._voice.dismiss(replies.CHUNK_SYNTAX)
        if chunk.size < SMALL_CHUNK and (farewell := self._tally.command()):
            return self._voice.dismiss(farewell)
        if chunk.size > DISCARD * self._front.settings.max_size:
            return self._voice.dismiss(await self._refuse(Fault.TOO_LARGE))
        if offer is None or Extension.CHUNKING not in offer.extensions or self._envelope is None:
            return await self._pass_over(chunk, offer)
        if (refusal := self._vain()) is not None:
            return await self._give_up(chunk, refusal)
        return await self._take(chunk)

    async def end(self) -> None:
        """Nothing is under way any more: of a RSET, a greeting, and of a client that has gone."""
        self._aftermath = None
        await self._conclude(self._visit.reset())

    async def _take(self, chunk: Chunk) -> None:
        collection = self._collection or self._begin()
        self.is_amid_octets = True
        await collection.read_chunk(chunk)
        self.is_amid_octets = False
        if collection.intake.fault is not None:
            refusal = await self._refuse(collection.intake.fault, collection.trouble)
            self._aftermath = refusal
            self._voice.say(refusal)
        elif chunk.is_last:
            self._voice.say(await self._hand_over(collection))
        else:
            self._voice.say(replies.CHUNK_TAKEN)

    def _vain(self) -> Reply | None:
        """Why no message can begin."""
        if not self._recipients:
            return replies.NO_RECIPIENTS
        return None if self._collection else self._front.sessions.busy()

    async def _give_up(self, chunk: Chunk, refusal: Reply) -> None:
        """The transaction ends: what follows of the message must not be taken for the whole of it."""
        await self._discard(chunk)
        await self._conclude(self._visit.reset())
        self._aftermath = refusal
        self._voice.say(refusal)

    async def _pass_over(self, chunk: Chunk, offer: Offer | None) -> None:
        """A chunk out of turn."""
        await self._discard(chunk)
        if offer is not None and Extension.CHUNKING not in offer.extensions:
            self._voice.refuse(replies.NOT_IMPLEMENTED)
        elif self._aftermath is not None:
            self._voice.say(self._aftermath)
        else:
            self._refuse_out_of_turn(offer)

    async def _discard(self, chunk: Chunk) -> None:
        """Read a chunk that nobody wants, since it is sent all the same (RFC 3030 section 2)."""
        self.is_amid_octets = True
        await Pieces(self._inbox, self._watchdog, self._front.settings).pass_over(chunk.size)
        self.is_amid_octets = False
        self._tally.octets(chunk.size)
        self._voice.dismiss(self._tally.burden())

    def _refuse_out_of_turn(self, offer: Offer | None) -> None:
        """A command without a transaction: behind a refused one no fault of a client that pipelines (RFC 2920)."""
        if self._collection is not None:
            self._voice.refuse(replies.NOT_AMONG_CHUNKS)
        elif self._aftermath is not None:
            self._voice.say(replies.NEED_MAIL)
        else:
            self._voice.refuse(replies.NEED_MAIL if offer else replies.NEED_HELO)

    def _begin(self) -> Collection:
        self._collection = Collection(self._front, self._inbox, self._watchdog)
        return self._collection

    async def _hand_over(self, collection: Collection) -> Reply:
        sessions = self._front.sessions
        self.has_whole_message = True
        try:
            if (busy := await sessions.begin_message(self.client)) is None:
                self.is_past_final_dot = True
                cleaned = None if collection.intake.is_clean else await collection.clean_text()
                answer = await self._visit.message(collection.spool, cleaned)
        finally:
            self.has_whole_message = False
            if self.is_past_final_dot:
                self.is_past_final_dot = False
                sessions.end_message()
                self._forget()
        if busy is not None:
            await self._conclude(self._visit.refused(busy))
            return busy
        self.progress = self._watchdog.now()
        if answer.is_success:
            self._tally.accepted()
        return answer

    async def _refuse(self, fault: Fault, trouble: OSError | None = None) -> Reply:
        """The transaction ends with a message that cannot be taken; what the client is told."""
        if trouble is not None:
            log.error("%s: the spool has no room: %s", self._ident, trouble)
        refusal = replies.MESSAGE[fault]
        await self._conclude(self._visit.refused(refusal) if self._envelope else self._visit.reset())
        return refusal

    async def _conclude(self, telling: Awaitable[None]) -> None:
        """The transaction is over without a message. What goes wrong while the visit is told changes no reply."""
        self._forget()
        try:
            await telling
        except Exception:
            log.exception("%s: the visit could not be told", self._ident)

    def _forget(self) -> None:
        collection, self._collection = self._collection, None
        if collection is not None:
            self._tally.octets(collection.pieces.octets)
            collection.spool.close()
        self._envelope = None
        self._recipients = 0
