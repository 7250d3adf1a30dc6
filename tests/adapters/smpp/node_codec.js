// node-smpp's codec, for other_codecs.py. Argument: the folder node_modules. Each line of the input has a PDU as
// octets and as what is to be written; each line of the output what was read and what was written.
'use strict';
const readline = require('readline');
const { PDU } = require(`${process.argv[2]}/smpp`);

// Off: the layer that turns octets into texts and dates. Octets are compared here.
PDU.prototype._filter = () => {};

const fromJson = (key, value) => (value && value.hex !== undefined ? Buffer.from(value.hex, 'hex') : value);
const toJson = (value) => (Buffer.isBuffer(value) ? { hex: value.toString('hex') } : value);

readline.createInterface({ input: process.stdin }).on('line', (line) => {
  const { frame, command, options } = JSON.parse(line, fromJson);
  const read = new PDU(frame);
  const written = new PDU(command, options).toBuffer();
  const shown = Object.fromEntries(Object.entries(read).map(([name, value]) => [name, toJson(value)]));
  process.stdout.write(`${JSON.stringify({ read: shown, written: written.toString('hex') })}\n`);
});
