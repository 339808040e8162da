"""The forms of a handler: native, ASGI, WSGI, CloudEvents, Lambda, functions-framework."""
