%% Resolves the configuration of `version` as its start would, with its own code, into `to`.
%%
%% Run in a short-lived VM that RELEASE_VSN=VERSION has started. mix names the providers in the
%% configuration itself, under elixir's config_provider_init (Elixir: Config.Provider.init/3), and
%% boots with config_provider_init's own boot/1; each is asked here the same way. The answer holds
%% secrets, so it is never printed: it goes to a file that none but this user reads.
#{root := Root, version := Version, to := To} = Args,
From = filename:join([Root, "releases", Version, "sys.config"]),
{ok, [Base]} = file:consult(From),
Init = proplists:get_value(config_provider_init, proplists:get_value(elixir, Base, [])),
Resolved =
    case Init of
        #{providers := Providers} ->
            lists:foldl(fun({M, State}, Config) -> M:load(Config, State) end, Base, Providers);
        undefined ->
            Base
    end,
Text = unicode:characters_to_binary(io_lib:format("%% coding: utf-8~n~tw.~n", [Resolved])),
ok = file:write_file(To, <<>>),
ok = file:change_mode(To, 8#600),
ok = file:write_file(To, Text),
%% A fun or a pid in a configuration cannot be written and read again.
case file:consult(To) of
    {ok, [Resolved]} ->
        ok;
    _ ->
        Bad = [
            {App, Key}
         || {App, Env} <- Resolved,
            {Key, Value} <- Env,
            begin
                Line = lists:flatten(io_lib:format("~tw.", [Value])),
                case erl_scan:string(Line) of
                    {ok, Tokens, _} -> erl_parse:parse_term(Tokens) =/= {ok, Value};
                    _ -> true
                end
            end
        ],
        file:delete(To),
        {unwritable, Bad}
end.
