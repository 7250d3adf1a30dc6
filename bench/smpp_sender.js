// An SMSC on the server of node-smpp that delivers texts as fast as they are acknowledged.
// bench/smpp_smsc.py starts it. Argument: the folder node_modules. It prints its port. Each line of its
// standard input is JSON: window, and texts as [source, destination, text]; when all of them are acknowledged
// it prints JSON: the seconds that took, and how many were refused. It takes whoever binds and whatever is
// submitted.
'use strict';
const smpp = require(`${process.argv[2]}/smpp`);

let receiver;
let lastId = 0;

function serve(session) {
  session.on('bind_transceiver', (bind) => {
    receiver = session;
    session.send(bind.response({ system_id: 'node-smpp' }));
  });
  session.on('submit_sm', (submit) => {
    lastId += 1;
    session.send(submit.response({ message_id: String(lastId) }));
  });
  session.on('enquire_link', (enquiry) => session.send(enquiry.response()));
  session.on('unbind', (unbind) => session.send(unbind.response(), () => session.close()));
  session.on('error', () => session.destroy());
}

function deliver([source, destination, text], acknowledged) {
  receiver.deliver_sm({
    source_addr_ton: 1, source_addr_npi: 1, source_addr: source,
    dest_addr_ton: 1, dest_addr_npi: 1, destination_addr: destination,
    data_coding: smpp.consts.ENCODING[smpp.encodings.detect(text)],
    short_message: { message: text },
  }, acknowledged);
}

function pour({ window, texts }) {
  const began = process.hrtime.bigint();
  let next = 0;
  let left = texts.length;
  let refused = 0;
  const pourOne = () => {
    next += 1;
    deliver(texts[next - 1], (answer) => {
      refused += answer.command_status ? 1 : 0;
      left -= 1;
      if (next < texts.length) pourOne();
      if (left === 0) {
        console.log(JSON.stringify({ seconds: Number(process.hrtime.bigint() - began) / 1e9, refused }));
      }
    });
  };
  while (next < Math.min(window, texts.length)) pourOne();
}

const server = smpp.createServer(serve);
server.listen(0, '127.0.0.1', () => console.log(server.address().port));
require('readline').createInterface({ input: process.stdin }).on('line', (line) => pour(JSON.parse(line)));
