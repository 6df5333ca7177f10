# Without exec the shell stays process 1.
python server.py
exit $?
