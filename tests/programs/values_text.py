class Str(str):
    pass


class Bytes(bytes):
    pass


def texts():
    empty = ""
    one = "a"
    ascii_ = "plain text"
    latin = "h\u00e9llo"
    ucs2 = "\u0416\u4e2d\u6587"
    ucs4 = "snow \U0001f600 man"
    nul = "a\0b"
    quotes = "it's \"so\"\n\t\\"
    lone = "a\ud800b"
    low = "\udc80"
    pair = "\ud83d\ude00"
    mixed = "\U0001f600\ud800"
    edge = "x" * 256
    over = "x" * 257
    long = "y" * 5000
    wide = "\u0416" * 300
    wider = "\U0001f600" * 300
    sub = Str("sub")
    key = {"k\u00e9y": "v", "": 1}
    built = ""
    for i in range(10):
        built += chr(65 + i)
    joined = "-".join([built, latin])
    return joined


def raw():
    b0 = b""
    b1 = b"\x00\xff'\"\\\n"
    b2 = bytes(range(256))
    b3 = b"z" * 257
    ba = bytearray(b"abc")
    ba.append(0)
    del ba[0]
    ba.extend(b"more")
    ba[1:3] = b""
    be = bytearray()
    bl = bytearray(400)
    sub = Bytes(b"sub")
    view = memoryview(b"abc")
    del view
    return ba


texts()
raw()
