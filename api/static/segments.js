// How many SMS a text takes: the same as domain/segments.py (3GPP TS 23.038, sections 6.2.1 and 6.2.1.1).

const BASIC = new Set(
  "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?" +
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà",
);
const EXTENSION = new Set("\f^{}\\[~]|€");
const SINGLE = { "GSM-7": 160, "UCS-2": 70 };
const PART = { "GSM-7": 153, "UCS-2": 67 };

export function measure(text) {
  const characters = [...text];
  const culprit = characters.find((each) => !BASIC.has(each) && !EXTENSION.has(each)) ?? null;
  const encoding = culprit === null ? "GSM-7" : "UCS-2";
  const units = characters.map((each) => (culprit === null ? (EXTENSION.has(each) ? 2 : 1) : each.length));
  const total = units.reduce((sum, each) => sum + each, 0);
  if (total <= SINGLE[encoding]) return { encoding, culprit, segments: text ? 1 : 0, left: SINGLE[encoding] - total };
  let [segments, used] = [1, 0];
  for (const size of units) {
    if (used + size > PART[encoding]) [segments, used] = [segments + 1, 0];
    used += size;
  }
  return { encoding, culprit, segments, left: PART[encoding] - used };
}

// The counter below a box: "1 SMS, 149 left", and which character makes it dearer.
export function counted(text) {
  const { encoding, culprit, segments, left } = measure(text);
  if (!segments) return "";
  return `${segments} SMS, ${left} left${encoding === "UCS-2" ? ` · Unicode because of ${culprit}` : ""}`;
}
