"""The main job, step by step with its evidence: register a service, put a route, follow the request, across three nodes.

`make mainjob` runs it twice, without ACLs and with default deny and the least policy. It is the README's tutorial as a
program: the commands it prints are the ones it runs. Exits with 1 at the first step that does not hold.
"""
