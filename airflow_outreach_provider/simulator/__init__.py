"""A stand-in for the outreach API that texts nobody, misbehaves on request, and keeps count.

=======================  ==================================================================
``server.py``            :class:`~.server.Simulator`: everything together, listening on a port
``process.py``           :func:`~.process.running_simulator`: the same in a process of its own
``api.py``               the platforms' documented answers
``contacts.py``          who was submitted and texted how often, with the journal
``faults.py``            what may go wrong, written as ``status=503,p=0.05,retry_after=2``
``fault_selection.py``   which request a fault hits, the same under the same seed
``connection.py``        HTTP/1.1 on one connection, and one request that a fault hits
``control.py``           ``/_sim/…``: ask and change the simulator while it runs
``wire.py``              requests and answers as values and bytes
``runner.py``            serve until somebody ends it
``options.py``           the command line's arguments
=======================  ==================================================================
"""
