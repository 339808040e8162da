"""Functions as Google's documentation writes them."""

import functions_framework
from flask import Request


@functions_framework.http
def hello(request: Request) -> str:
    return f"Hello {request.args.get('name', 'World')}!"


@functions_framework.cloud_event
def on_event(event) -> None:
    print(f"{event['type']} from {event['source']}: {event.data}")


class Order:
    def __init__(self, item: str, count: int) -> None:
        self.item = item
        self.count = count

    @staticmethod
    def from_dict(given: dict) -> "Order":
        return Order(given["item"], given["count"])

    def to_dict(self) -> dict:
        return {"item": self.item, "count": self.count}


@functions_framework.typed(Order)
def double(order: Order) -> Order:
    return Order(order.item, order.count * 2)
