"""User ids that could be confused by a broker, a file system, a URL, a database or a reader."""

from __future__ import annotations

#: All of them are different users.
LOOK_ALIKES = [
    # wildcards and separators of brokers
    ("*", "a", "a*", "?"),
    ("#", "a.b", "*.#", "a.#", "#.b"),
    ("user.7", "user:7", "user/7", "user-7", "user_7", "user 7"),
    ("user.*", "user.#", "user", "user."),
    ("notifications", "user.notifications", "celery", "revocations"),
    # parts of paths
    ("a/b", "a%2Fb", "a%2fb", "a%252Fb", "a\\b", "a//b", "a/./b", "a/b/"),
    ("../x", "x", "./x", "x/../x", "..\\x", "..%2Fx", "/x"),
    (".", "..", "...", ".hidden", "/", "\\", "//"),
    ("CON", "NUL", "con", "a:b", "a|b", "a<b>"),
    ("../../etc/passwd", "/etc/passwd", "etc/passwd"),
    # equal for a reader, or for code that folds or normalises
    ("u", "U", "\uff55", "\U0001d62e", "\uff55 "),
    ("straße", "STRASSE", "strasse", "ﬀ", "ff"),
    ("I", "i", "\u0131", "İ", "i̇"),
    ("é", "e\u0301", "e", "ê"),
    ("Å", "A\u030a", "\u212b"),
    ("a", "\u0430", "\u0251", "\u237a"),  # Latin, Cyrillic, a script a, APL
    ("1", "\uff11", "①", "¹", "1.0", "01", "+1", "1e0", "True"),
    ("日本", "日本 ", " 日本", "日 本", "日\u200b本", "日\u2060本"),
    ("u ", " u", "  u", "u\u00a0", "u\u3000", "u\u200d", "\ufeffu", " ", "  "),
    ("👩", "👩🏽", "👩‍🚀", "👩\u200d", "👩\ufe0f", "❤", "❤\ufe0f"),
    ("abc", "\u202ecba", "cba", "a\u200eb\u200ec"),
    # lengths: 1, 127, 128, and 128 of four bytes each that differ in the last
    ("x" * 128, "x" * 127, "x" * 127 + "y", "X" + "x" * 127, "x" * 126 + " x"),
    ("😀" * 128, "😀" * 127, "😀" * 127 + "😁", "😁" + "😀" * 127),
    # languages that some layer interprets
    ("' OR 1=1 --", "' OR 1=1", '" OR ""="', "%", "_", "a_b", "a%b", "axb"),
    ("{user}", "${USER}", "%s", "%(id)s", "{0}", "<b>u</b>", "&amp;", "&"),
    ("null", "None", "undefined", "NaN", "0", "-1", "false", "[]", "{}", '"u"', "'u'"),
    ("user:u", "room:u", "u,v", "u;v", "u=v", "u?v", "u#v", "u&v", "u+v", "u%20v", "u v"),
]  # fmt: skip
IDS = list(dict.fromkeys(user for group in LOOK_ALIKES for user in group))
