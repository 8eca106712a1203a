# Verifies mails with dkimpy. Arguments: a file of records (name, TAB, value), then the mails.
# Prints for each signature the file, the selector and the verdict.
import re
import sys

import dkim

records = dict(line.rstrip(b"\n").split(b"\t") for line in open(sys.argv[1], "rb"))


def txt(name, timeout=5):
    return records[name.rstrip(b".")]


for path in sys.argv[2:]:
    mail = open(path, "rb").read()
    head = mail.split(b"\r\n\r\n")[0]
    verifier = dkim.DKIM(mail)
    fields = re.findall(rb"(?ims)^DKIM-Signature\s*:(.*?)(?=^[^ \t]|\Z)", head)
    for i, field in enumerate(fields):
        selector = re.search(rb"[;\s]s=([^;]*)", field).group(1).decode()
        try:
            verdict = "pass" if verifier.verify(idx=i, dnsfunc=txt) else "fail"
        except Exception as e:
            verdict = "error %r" % e
        print(path, selector, verdict, sep="\t")
