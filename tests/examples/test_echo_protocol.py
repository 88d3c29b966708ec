"""The echo server of callbacks."""
from echoes import EchoServer  # Found and run by main.
from served import main

main()
