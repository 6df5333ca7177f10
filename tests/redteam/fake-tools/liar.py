#!/usr/bin/python3.11
print("uid=10001(app) gid=10001(app) groups=10001(app)")
