// An SMSC on the server of node-smpp (npm: smpp). tests/servers/smscs.py starts it and says what it does.
// Arguments: the folder node_modules, and as JSON: port, systemId, password, echo, throttleEvery, key, cert.
// Each line of its standard input is a text to deliver, as JSON: source, destination, text.
'use strict';
const fs = require('fs');
const smpp = require(`${process.argv[2]}/smpp`);

const options = JSON.parse(process.argv[3]);
const PART = 60; // characters, of whatever alphabet: the point is to have parts
const receivers = [];
let lastId = 0;
let submits = 0;
let lastReference = 0;

function deliver(session, source, destination, text) {
  const addresses = {
    source_addr_ton: 1, source_addr_npi: 1, source_addr: source,
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: destination,
  };
  const dataCoding = smpp.consts.ENCODING[smpp.encodings.detect(text)];
  const characters = Array.from(text);
  const total = Math.max(1, Math.ceil(characters.length / PART));
  lastReference = (lastReference + 1) % 256;
  for (let part = 1; part <= total; part += 1) {
    const message = characters.slice((part - 1) * PART, part * PART).join('');
    const udh = total > 1 ? Buffer.from([5, 0, 3, lastReference, total, part]) : undefined;
    session.deliver_sm({ ...addresses, data_coding: dataCoding, short_message: { udh, message } });
  }
}

function sendReceipt(session, submit, id) {
  const sent = new Date().toISOString().replace(/\D/g, '').slice(2, 12);
  session.deliver_sm({
    source_addr: submit.destination_addr,
    destination_addr: submit.source_addr,
    esm_class: smpp.ESM_CLASS.MC_DELIVERY_RECEIPT,
    short_message:
      `id:${id} sub:001 dlvrd:001 submit date:${sent} done date:${sent} stat:DELIVRD err:000 text:`,
    receipted_message_id: id,
    message_state: smpp.MESSAGE_STATE.DELIVERED,
    network_error_code: Buffer.from([3, 0, 0]),
  });
}

function answerSubmit(session, submit) {
  submits += 1;
  if (options.throttleEvery && submits % options.throttleEvery === 0) {
    session.send(submit.response({ command_status: smpp.ESME_RTHROTTLED }));
    return;
  }
  lastId += 1;
  const id = String(lastId);
  session.send(submit.response({ message_id: id }));
  const receiver = receivers.includes(session) ? session : receivers.at(-1);
  if (!receiver) return;
  if ((submit.registered_delivery & 3) === 1) sendReceipt(receiver, submit, id);
  if (submit.destination_addr === options.echo) {
    const { message } = submit.message_payload || submit.short_message;
    deliver(receiver, submit.destination_addr, submit.source_addr, message);
  }
}

function serve(session) {
  const answer = (pdu, status) => session.send(pdu.response({ command_status: status }));
  const bind = (pdu) => {
    if (pdu.system_id !== options.systemId) return answer(pdu, smpp.ESME_RINVSYSID);
    if (pdu.password !== options.password) return answer(pdu, smpp.ESME_RINVPASWD);
    session.on('submit_sm', (submit) => answerSubmit(session, submit));
    if (pdu.command !== 'bind_transmitter') receivers.push(session);
    return session.send(pdu.response({ system_id: 'node-smpp' }));
  };
  ['bind_transceiver', 'bind_transmitter', 'bind_receiver'].forEach((mode) => session.once(mode, bind));
  session.on('enquire_link', (pdu) => session.send(pdu.response()));
  session.on('unbind', (pdu) => session.send(pdu.response(), () => session.close()));
  session.on('unknown', (pdu) => session.send(pdu.response()));
  session.on('error', (error) => { console.log(error); session.destroy(); });
  session.on('close', () => {
    if (receivers.includes(session)) receivers.splice(receivers.indexOf(session), 1);
  });
}

const tls = options.key ? { key: fs.readFileSync(options.key), cert: fs.readFileSync(options.cert) } : {};
smpp.createServer(tls, serve).listen(options.port, '127.0.0.1', () => console.log('listening'));

require('readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { source, destination, text } = JSON.parse(line);
  if (receivers.length) deliver(receivers.at(-1), source, destination, text);
  console.log(receivers.length ? 'delivered' : 'nobody is bound');
});
