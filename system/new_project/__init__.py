"""The project that `order-sagas new` writes: a saga, two services, a client, rules and tests.

`template` has its files. In their names `package`, and in their text `PROJECT`, stand for the name.
"""
