"""AWS IoT Jobs: `wire` (pure), `cloud` (boto3), `device` (awsiotsdk), `simulator`."""
