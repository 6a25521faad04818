%% Answers questions until there are no more, or none comes for `idle` milliseconds.
%%
%% A question is a line of standard input, which is that of the command that evaluates this: a mark,
%% a space, and {Script, Args} in the external term format and base64. The answer stands between the
%% mark said twice, as others may print on the same line: MARK kept<BASE64>MARK, or MARK last<…> if
%% no more questions are heard.
#{idle := Idle} = Args,
Value = fun(Question) ->
    try
        {Script, Given} = binary_to_term(base64:decode(Question)),
        {ok, Tokens, _} = erl_scan:string(unicode:characters_to_list(Script)),
        {ok, Expressions} = erl_parse:parse_exprs(Tokens),
        {value, Found, _} = erl_eval:exprs(Expressions, [{'Args', Given}]),
        {ok, Found}
    catch
        Kind:Reason ->
            {raised, unicode:characters_to_binary(io_lib:format("~tp:~tp", [Kind, Reason]))}
    end
end,
%% In a process of its own, so that no question finds the messages or the garbage of another.
Apart = fun(Fun, Wait) ->
    {Pid, Ref} = spawn_monitor(fun() -> exit({done, Fun()}) end),
    receive
        {'DOWN', Ref, process, Pid, {done, Result}} -> {ok, Result};
        {'DOWN', Ref, process, Pid, Why} -> {ended, Why}
    after Wait ->
        exit(Pid, kill),
        {ended, idle}
    end
end,
%% A new version may have brought what this process is in the midst of, such as erl_eval. Nobody who
%% looks for old code, or purges it, may find us.
IsOld = fun() ->
    lists:any(
        fun({M, _}) -> erlang:check_old_code(M) andalso erlang:check_process_code(self(), M) end,
        code:all_loaded()
    )
end,
Hear = fun Hear() ->
    case Apart(fun() -> io:get_line("") end, Idle) of
        {ok, Line} when is_list(Line); is_binary(Line) ->
            [Mark, Question] = binary:split(unicode:characters_to_binary(Line), <<" ">>),
            Answer =
                case Apart(fun() -> Value(Question) end, infinity) of
                    {ok, Found} ->
                        Found;
                    {ended, Why} ->
                        {raised, unicode:characters_to_binary(io_lib:format("~tp", [Why]))}
                end,
            Last = IsOld(),
            Word =
                case Last of
                    true -> " last<";
                    false -> " kept<"
                end,
            io:put_chars([Mark, Word, base64:encode(term_to_binary(Answer)), ">", Mark, "\n"]),
            case Last of
                true -> ok;
                false -> Hear()
            end;
        _ ->
            ok
    end
end,
Hear().
