"""Writes SentencePiece character maps, for the generators."""

import struct


def character_map(table):
    """A SentencePiece character map: a double array (Darts-clone) and the replacements."""
    blob, values = b"", {}
    for key, to in table.items():
        values[key.encode()] = len(blob)
        blob += to.encode() + b"\0"
    units = {0: 0}

    def place(at, prefix):
        labels = sorted({k[len(prefix)] for k in values if k.startswith(prefix) and len(k) > len(prefix)})
        leaf = prefix in values
        base = 1
        while any(base ^ b in units for b in labels + [0] * leaf):
            base += 1
        units[at] |= (at ^ base) << 10
        if leaf:
            units[at] |= 1 << 8
            units[base] = values[prefix] | 1 << 31
        for b in labels:
            units[base ^ b] = b
        for b in labels:
            place(base ^ b, prefix + bytes([b]))

    place(0, b"")
    size = max(units) + 1
    size += -size % 256  # so that no step leaves the array
    array = b"".join(struct.pack("<I", units.get(i, 0xFE)) for i in range(size))
    return struct.pack("<I", len(array)) + array + blob
