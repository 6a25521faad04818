%% Asks the application's own port, as a client on the loopback would: `request` is empty (a
%% connection that opens is enough), or [Method, Path] with the method GET or WEBSOCKET.
%%
%% From inside, so that no port has to be published; gen_tcp, as not every release has inets.
#{port := Port, request := Request} = Args,
Connect = fun Connect([Address | Rest]) ->
    Family =
        case size(Address) of
            4 -> inet;
            8 -> inet6
        end,
    case gen_tcp:connect(Address, Port, [Family, binary, {active, false}, {packet, line}], 5000) of
        {ok, Socket} -> {ok, Socket};
        {error, Reason} when Rest =:= [] -> {error, Reason};
        {error, _} -> Connect(Rest)
    end
end,
{ok, Own} = inet:getifaddrs(),
Outer = [A || {_, Options} <- Own, {addr, A} <- Options, size(A) =:= 4, element(1, A) =/= 127],
case Connect([{127, 0, 0, 1}, {0, 0, 0, 0, 0, 0, 0, 1}] ++ Outer) of
    {error, Why} ->
        unicode:characters_to_binary(io_lib:format("~tp", [Why]));
    {ok, Socket} ->
        Said =
            case Request of
                [] ->
                    ok;
                [Method, Path] ->
                    Upgrade =
                        case Method of
                            <<"WEBSOCKET">> ->
                                [
                                    "connection: Upgrade\r\nupgrade: websocket\r\n",
                                    "sec-websocket-version: 13\r\n",
                                    ["sec-websocket-key: ", base64:encode(<<"imagesmith-probe">>), "\r\n"]
                                ];
                            _ ->
                                "connection: close\r\n"
                        end,
                    gen_tcp:send(Socket, ["GET ", Path, " HTTP/1.1\r\nhost: localhost\r\n", Upgrade, "\r\n"]),
                    case gen_tcp:recv(Socket, 0, 5000) of
                        {ok, <<"HTTP/1.", _, " ", C, _, _, _/binary>>} when Method =:= <<"GET">>, (C =:= $2 orelse C =:= $3) -> ok;
                        {ok, <<"HTTP/1.", _, " 101", _/binary>>} when Method =:= <<"WEBSOCKET">> -> ok;
                        {ok, Line} -> Line;
                        {error, Closed} -> unicode:characters_to_binary(io_lib:format("~tp", [Closed]))
                    end
            end,
        gen_tcp:close(Socket),
        Said
end.
