"""A carrier with SMSCs that others wrote: what it sends is taken, and its receipts are known by their ids."""

from contextlib import closing

from contracts.providers import IDS, Inbox
from domain.facts import ReceiptReceived, ReceiptStatus
from domain.providers import Account
from tests.adapters.smpp.smpp_cases import LONG, NUMBER, keep, message, open_carrier
from tests.servers.smscs import Smsc


def account_at(smsc: Smsc) -> Account:
    return Account(
        mapping_id=IDS.mapping("OTHERS"),
        code="OTHERS",
        credentials={"user": smsc.system_id, "password": smsc.password},
        options={"message_ids": smsc.abilities.message_ids},
        addresses=(NUMBER,),
        default_country="US",
        webhook_url="",
        host=smsc.host,
        port=smsc.port,
    )


def test_messages_are_taken_and_their_receipts_known(others_smsc: Smsc) -> None:
    inbox = Inbox()
    with closing(open_carrier(account_at(others_smsc))) as carrier:
        keep(carrier, inbox)
        messages = [message(text) for text in ("Hello", LONG, "Привет", "Good bye")]
        accepted = {carrier.send(each).provider_message_id for each in messages}
        receipts = inbox.wait_for(ReceiptReceived, 4)
    assert {each.provider_message_id for each in receipts} == accepted
    assert {each.status for each in receipts} == {ReceiptStatus.DELIVERED}
    assert carrier.connections() == []
