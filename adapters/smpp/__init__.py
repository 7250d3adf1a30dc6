"""SMPP 3.4: how texts travel to and from an SMSC.

Rule: only `pdu` knows how a PDU is written, and imports smpplib; what reads and writes messages
(`concatenation`, `receipts`, …) touches no connection, and what keeps connections (`session`, …) does not
look into messages. What was written and not answered is never written again.
"""
