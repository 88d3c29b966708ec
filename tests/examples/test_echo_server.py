"""The echo server of streams."""
from echoes import EchoServer  # Found and run by main.
from served import main

main()
