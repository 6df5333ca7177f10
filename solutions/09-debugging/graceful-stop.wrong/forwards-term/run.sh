trap 'kill -TERM "$server"; wait "$server"; exit 143' TERM
python server.py &
server=$!
wait "$server"
