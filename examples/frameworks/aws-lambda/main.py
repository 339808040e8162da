"""A Lambda function behind a Function URL, as AWS's documentation would write it."""

import base64
import json


def lambda_handler(event, context):
    method = event["requestContext"]["http"]["method"]
    if event["rawPath"] == "/pixel":
        gif = base64.b64encode(b"GIF89a\x01\x00\x01\x00\x00\x00\x00;").decode()
        return {"statusCode": 200, "headers": {"Content-Type": "image/gif"}, "body": gif, "isBase64Encoded": True}
    if method == "GET":
        name = event.get("queryStringParameters", {}).get("name", "World")
        return {"message": f"Hello, {name}!", "left": context.get_remaining_time_in_millis() > 0}
    body = event.get("body", "")
    if event["isBase64Encoded"]:
        body = base64.b64decode(body)
    return {
        "statusCode": 201,
        "headers": {"Content-Type": "application/json", "X-Request": context.aws_request_id},
        "cookies": ["seen=1; Path=/", "kind=test"],
        "body": json.dumps({"bytes": len(body), "cookies": event.get("cookies", [])}),
    }
