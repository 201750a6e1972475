"""Connections to Redis: which server, by which way, made once a process, and explained when one fails."""

from qa_queue.redis.client import RedisClient, RedisHealth
from qa_queue.redis.connections import MainRedis, by_server, connection_of, explain_among, server_time
from qa_queue.redis.diagnosis import address_of, explain, explained
from qa_queue.redis.pools import servers_by_sentinel

__all__ = [
    "MainRedis",
    "RedisClient",
    "RedisHealth",
    "address_of",
    "by_server",
    "connection_of",
    "explain",
    "explain_among",
    "explained",
    "server_time",
    "servers_by_sentinel",
]
