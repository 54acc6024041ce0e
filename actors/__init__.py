"""The business: messages, entities, sagas and services.

What a project needs to define sagas of its own is imported from `order_sagas`.
"""
